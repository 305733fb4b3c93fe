// The member's page: his wallet, or the registration when the account has no member yet.
import { MemberPage } from "./member/member_page.tsx";
import { keepSite } from "./shell/keep_site.ts";
import { startPage } from "./shell/start.tsx";

keepSite();
startPage({ title: (texts) => texts.wallet.pageTitle, view: MemberPage, needsSession: true });
