// One phone, one after another: what a member has enrolled on it is his alone, even when his session ended without a sign-out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { assertNoFaults, launch, openDevice, openPage } from "./browser.ts";
import { deviceKeys, elsewhere, type Name, qrPicture, shownDigits, signIn } from "./people.ts";

let browser: Browser;
let phone: Page;
let cardNo: string;

before(async () => {
  browser = await launch();
  phone = await openPage(await openDevice(browser));
  const [{ client: admin }, { client: hua }] = await Promise.all([elsewhere("admin"), elsewhere("hua")]);
  const owner = (await hua.me()).member_id ?? "";
  const { card_id } = await admin.call("issuePrepaidCard", { owner_member_id: owner, initial_balance: "100.00", name: "登山卡" });
  cardNo = (await hua.call("getCard", { card_id })).card_no;
});
after(() => browser.close());

const enrolled = () => phone.getByRole("button", { name: "移除「我的手機」" });
const setOffline = (isOffline: boolean) => phone.context().setOffline(isOffline);

async function open(name: Name): Promise<void> {
  await signIn(phone, name);
  await qrPicture(phone).waitFor();
}

async function enrol(): Promise<void> {
  await phone.getByText("登山卡").click();
  await phone.getByRole("button", { name: "在這個裝置啟用" }).click();
  await enrolled().waitFor();
}

/** As when it could not be renewed: nothing of signing out is done. No page of ours is open meanwhile, which would go and sign in by itself. */
async function endTheSession(): Promise<void> {
  await phone.goto("/config.json");
  await phone.evaluate(() => localStorage.removeItem("mps.session"));
}

async function openWithoutNetwork(): Promise<void> {
  await phone.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await setOffline(true);
  await phone.reload();
  await phone.getByText("目前沒有網路").waitFor();
}

test("who signs in again after his session ended finds his phone enrolled, without a network too", async () => {
  await open("hua");
  await enrol();
  await endTheSession();
  await open("hua");
  await openWithoutNetwork();
  await phone.getByText(cardNo).waitFor();
  await phone.locator(".digits").waitFor();
  assert.match(await shownDigits(phone), /^71/);
  await setOffline(false);
});

test("another member who signs in sees neither the card nor a code of it, and its key is gone", async () => {
  await endTheSession();
  await open("ming");
  await openWithoutNetwork();
  await phone.getByText("暫時連不上服務").waitFor();
  assert.equal(await phone.getByText(cardNo).count(), 0);
  assert.equal(await phone.locator(".digits").count(), 0);
  assert.deepEqual(await deviceKeys(phone), []);
  await setOffline(false);
  await qrPicture(phone).waitFor();
});

test("an enrolment that an earlier version kept without its owner is forgotten", async () => {
  await endTheSession();
  await open("hua");
  // What was forgotten here is still listed, until its member removes it.
  await phone.getByText("登山卡").click();
  await enrolled().click();
  await enrolled().waitFor({ state: "detached" });
  await enrol();
  assert.equal((await deviceKeys(phone)).length, 1);
  await phone.evaluate((kept) => localStorage.setItem("mps.enrolled", kept), `${(await deviceKeys(phone))[0]?.slice("mps.device.".length) ?? ""}:${cardNo}`);
  await phone.reload();
  await phone.getByText("登山卡").click();
  await phone.getByRole("button", { name: "在這個裝置啟用" }).waitFor();
  assert.deepEqual(await deviceKeys(phone), []);
  assertNoFaults(phone);
  await phone.context().close();
});
