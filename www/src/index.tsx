// The front page: sign in or create an account, then on to the page of one's role.
import { SignIn } from "./sign_in.tsx";
import { startPage } from "./shell/start.tsx";

startPage({ title: (texts) => texts.signIn.pageTitle, view: SignIn, needsSession: false });
