// What the wallet says of its cards, and which code it shows: the member looks at his phone while others pay, on other devices too.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { MpsClient } from "@mps/sdk/client";
import type { Browser, Page } from "playwright-core";
import { assertNoFaults, launch, openDevice, openPage } from "./browser.ts";
import { elsewhere, freshDigits, qrPicture, shownDigits, signIn } from "./people.ts";

let browser: Browser;
let wallet: Page;
let admin: MpsClient;
let cashier: MpsClient;
let hua: MpsClient;
let ming: MpsClient;

before(async () => {
  browser = await launch();
  const people = [elsewhere("admin"), elsewhere("cashier"), elsewhere("hua"), elsewhere("ming")] as const;
  [{ client: admin }, { client: cashier }, { client: hua }, { client: ming }] = await Promise.all(people);
});
after(() => browser.close());

const memberOf = async (client: MpsClient): Promise<string> => (await client.me()).member_id ?? "";

/** A new card of Hua's with 100.00 on it. */
async function issue(kind: "issuePrepaidCard" | "issueVoucher", name: string): Promise<string> {
  const request = { owner_member_id: await memberOf(hua), initial_balance: "100.00", name };
  return (await admin.call(kind, request)).card_id;
}

/** Hua's wallet on a phone of its own, showing a code of this card. */
async function openWallet(name: string): Promise<void> {
  wallet = await openPage(await openDevice(browser));
  await signIn(wallet, "hua");
  await choose(name);
}

async function choose(name: string): Promise<void> {
  await qrPicture(wallet).waitFor();
  const former = await shownDigits(wallet);
  await wallet.getByText(name).click();
  await freshDigits(wallet, former);
}

async function closeWallet(): Promise<void> {
  assertNoFaults(wallet);
  await wallet.context().close();
}

const charge = (digits: string, amount: string) =>
  cashier.charge({ merchant_code: "SHOP001", qr_plain: digits, raw_amount: amount });

const said = (words: string) => wallet.locator(".live").getByText(words, { exact: true });

/** The wallet has asked for its cards once more. */
const nextCards = () => wallet.waitForResponse((response) => response.url().endsWith("/api/member/cards"));

/** Another tab is in front, or this one again. A browser without a screen shows all its tabs at once. */
const setHidden = (isHidden: boolean) =>
  wallet.evaluate((isHidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);

test("a voucher has paid what the till took, though all of its balance is gone", async () => {
  await issue("issueVoucher", "生日禮券");
  await openWallet("生日禮券");
  await charge(await shownDigits(wallet), "60.00");
  await said("已付款 60.00").waitFor();
  await said("餘額 0.00").waitFor();
  await closeWallet();
});

test("a colleague's payment with a shared card is the card's, and the member's own code pays after it", async () => {
  const cardId = await issue("issuePrepaidCard", "部門卡");
  await hua.call("bindCard", { card_id: cardId, member_id: await memberOf(ming), role: "member" });
  await openWallet("部門卡");
  const digits = await shownDigits(wallet);
  await charge((await ming.rotateCode({ card_id: cardId })).qr_plain, "27.00");
  await said("部門卡有一筆付款 27.00").waitFor();
  assert.equal(await shownDigits(wallet), digits);
  assert.equal((await charge(digits, "3.00")).final_amount, "3.00");
  await said("部門卡有一筆付款 3.00").waitFor();
  await wallet.getByRole("button", { name: "EN" }).click();
  await said("部門卡: a payment of 3.00 was made").waitFor();
  await closeWallet();
});

test("each change of a balance has its own name, and none shows a code that the member has hidden", async () => {
  const cardId = await issue("issuePrepaidCard", "旅行卡");
  await openWallet("旅行卡");
  await wallet.getByRole("button", { name: "隱藏付款碼" }).click();
  const hidden = wallet.getByText("付款碼已隱藏");
  await hidden.waitFor();
  await admin.call("adjustCard", { card_id: cardId, amount: "-5.00", reason: "a correction" });
  await said("旅行卡的餘額有變動").waitFor();
  await cashier.call("rechargeWithCash", { card_id: cardId, amount: "20.00", merchant_code: "SHOP001" });
  await said("已入帳 20.00").waitFor();
  const { tx_no } = await charge((await hua.rotateCode({ card_id: cardId })).qr_plain, "7.00");
  await said("已付款 7.00").waitFor();
  await cashier.call("refund", { merchant_code: "SHOP001", original_tx_no: tx_no, refund_amount: "2.50" });
  await said("已入帳 2.50").waitFor();
  await setHidden(true);
  await setHidden(false);
  await nextCards();
  assert.ok(await hidden.isVisible());
  await closeWallet();
});

test("who comes back to the wallet gets a code that pays, though another device has ended the one before", async () => {
  const cardId = await issue("issuePrepaidCard", "早餐卡");
  await openWallet("早餐卡");
  const digits = await shownDigits(wallet);
  await setHidden(true);
  await hua.rotateCode({ card_id: cardId });
  await setHidden(false);
  const fresh = await freshDigits(wallet, digits);
  assert.equal((await charge(fresh, "1.00")).final_amount, "1.00");
  await said("已付款 1.00").waitFor();
  await freshDigits(wallet, fresh);
  await closeWallet();
});

test("a payment from before the code on show is no reason for another one", async () => {
  const cardId = await issue("issuePrepaidCard", "午餐卡");
  await openWallet("午餐卡");
  await setHidden(true);
  await charge((await hua.rotateCode({ card_id: cardId })).qr_plain, "8.00");
  const issued: string[] = [];
  wallet.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/api/qr/rotate")) issued.push(request.url());
  });
  await setHidden(false);
  await said("已付款 8.00").waitFor();
  await nextCards();
  assert.equal(issued.length, 1);
  await closeWallet();
});

test("a payment is told of once the server says what it was", async () => {
  await issue("issuePrepaidCard", "晚餐卡");
  await openWallet("晚餐卡");
  await wallet.route("**/api/member/transactions", (route) => route.abort());
  await charge(await shownDigits(wallet), "9.00");
  await said("暫時連不上服務，正在重試…").waitFor();
  await wallet.unrouteAll();
  await said("已付款 9.00").waitFor();
  await closeWallet();
});

test("the late answer to hiding one card's code leaves the next card's code on show", async () => {
  await issue("issuePrepaidCard", "甲卡");
  await issue("issuePrepaidCard", "乙卡");
  await openWallet("甲卡");
  const former = await shownDigits(wallet);
  const answer = Promise.withResolvers<void>();
  await wallet.route("**/api/qr/revoke", async (route) => {
    await answer.promise;
    await route.continue();
  });
  await wallet.getByRole("button", { name: "隱藏付款碼" }).click();
  await wallet.getByText("乙卡").click();
  const digits = await freshDigits(wallet, former);
  const revoked = wallet.waitForResponse((response) => response.url().endsWith("/api/qr/revoke") && response.ok());
  answer.resolve();
  await (await revoked).finished();
  await nextCards();
  assert.equal(await wallet.getByText("付款碼已隱藏").count(), 0);
  assert.equal(await shownDigits(wallet), digits);
  await closeWallet();
});
