// The merchant's page: the till.
import { MerchantPage } from "./merchant/merchant_page.tsx";
import { startPage } from "./shell/start.tsx";

startPage({ title: (texts) => texts.pos.pageTitle, view: MerchantPage, needsSession: true });
