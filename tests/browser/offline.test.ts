// Payments made without a network: the wallet's page is cut off after its enrolment, the till charges what it shows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { assertNoFaults, launch, openDevice, openPage } from "./browser.ts";
import { balanceInCents, chargeButton, deviceKeys, freshDigits, newCharge, qrPicture, shownDigits, signIn, typeCharge } from "./people.ts";
import { readScreenshot } from "./qr.ts";

let browser: Browser;
let wallet: Page;
let till: Page;

before(async () => {
  browser = await launch();
  wallet = await openPage(await openDevice(browser));
  till = await openPage(await openDevice(browser));
  await signIn(wallet, "ming");
  await qrPicture(wallet).waitFor();
  // The shared prepaid card: its discount is its own, so that amounts here depend on no other test's points.
  await wallet.getByText("家庭共用卡").click();
  await freshDigits(wallet, "");
  await signIn(till, "cashier");
  await till.getByLabel("金額").waitFor();
});
after(() => browser.close());

const offlineTitle = (page: Page) => page.getByRole("heading", { name: "離線付款碼" });
const terminalField = (page: Page) => page.getByLabel("指定收銀機");
const nextButton = (page: Page) => page.getByRole("button", { name: "換下一個付款碼" });
const setOffline = (isOffline: boolean) => wallet.context().setOffline(isOffline);

async function cutOff(): Promise<void> {
  await setOffline(true);
  await offlineTitle(wallet).waitFor();
  await wallet.locator(".digits").waitFor();
}

/** A code of a step that was not shown before; where both of this moment were, the page itself waits for the next step. */
async function unusedDigits(): Promise<string> {
  const former = await shownDigits(wallet);
  await nextButton(wallet).click();
  const isFresh = (spent: string) => {
    const digits = document.querySelector(".digits")?.textContent ?? "";
    return /^\d{24}$/.test(digits) && digits !== spent;
  };
  // A step lasts 30 seconds, and the next may be shown when this one is over.
  await wallet.waitForFunction(isFresh, former, { timeout: 60_000 });
  return shownDigits(wallet);
}

/** The code once it is for that terminal. */
async function digitsFor(terminal: string): Promise<string> {
  await terminalField(wallet).fill(terminal);
  await wallet.getByText(`這個碼只能在收銀機 ${terminal.toUpperCase()} 使用。`).waitFor();
  const digits = await shownDigits(wallet);
  assert.match(digits, /^72\d{22}$/);
  return digits;
}

async function charge(amount: string, final: string, digits: string): Promise<void> {
  await typeCharge(till, amount, digits);
  await chargeButton(till, final).click();
  await till.getByRole("heading", { name: "收款成功" }).waitFor();
}

async function refused(amount: string, digits: string, words: string): Promise<void> {
  await typeCharge(till, amount, digits);
  await till.getByText(words).waitFor();
  assert.ok(await till.getByRole("button", { name: "收款", exact: true }).isDisabled());
}

test("a phone that was enrolled pays without a network, once for each code", async () => {
  const earlier = await balanceInCents(wallet);
  await wallet.getByRole("button", { name: "在這個裝置啟用" }).click();
  await wallet.getByRole("button", { name: "移除「我的手機」" }).waitFor();
  await cutOff();
  const asked: string[] = [];
  wallet.on("request", (request) => asked.push(request.url()));
  const digits = await unusedDigits();
  assert.match(digits, /^71\d{22}$/);
  assert.equal(readScreenshot(await qrPicture(wallet).screenshot()), digits);
  await charge("10.00", "9.00", digits);
  await newCharge(till);
  await refused("10.00", digits, "付款碼已失效或已使用");
  const next = await unusedDigits();
  await charge("20.00", "18.00", next);
  await newCharge(till);
  assert.deepEqual(asked.filter((url) => url.includes("/api/devices") || url.includes("/api/qr/")), []);
  await setOffline(false);
  await wallet.getByRole("heading", { name: "付款碼", exact: true }).waitFor();
  await wallet.waitForFunction((cents) => {
    const balance = document.querySelector("label.card:has(input:checked) b")?.textContent ?? "";
    return Number(balance.replace(/[,.]/g, "")) === cents;
  }, earlier - 2700);
});

test("a code for one terminal is taken there and refused at another", async () => {
  await cutOff();
  await charge("5.00", "4.50", await unusedDigits());
  await newCharge(till);
  // The step to come, while the present one has paid: another terminal changes the code and not the step.
  await unusedDigits();
  await refused("5.00", await digitsFor("zzzzzz"), "付款碼已失效或已使用");
  await charge("5.00", "4.50", await digitsFor("k7q2zd"));
  await newCharge(till);
  await terminalField(wallet).fill("");
  await setOffline(false);
});

/** As if the last token had been renewed an hour ago. */
const letTheSessionEnd = () =>
  wallet.evaluate(() => {
    const session = JSON.parse(localStorage.getItem("mps.session") ?? "") as object;
    localStorage.setItem("mps.session", JSON.stringify({ ...session, expires_at: Math.floor(Date.now() / 1000) - 60 }));
  });

test("a wallet opened without a network shows a code that pays, and is itself again when there is one", async () => {
  await wallet.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await setOffline(true);
  await letTheSessionEnd();
  await wallet.reload();
  await offlineTitle(wallet).waitFor();
  await wallet.locator(".digits").waitFor();
  assert.equal(new URL(wallet.url()).pathname, "/member.html");
  const digits = await unusedDigits();
  assert.match(digits, /^71\d{22}$/);
  assert.equal(readScreenshot(await qrPicture(wallet).screenshot()), digits);
  await charge("1.00", "0.90", digits);
  await newCharge(till);
  await setOffline(false);
  await wallet.getByRole("heading", { name: "付款碼", exact: true }).waitFor();
  await wallet.getByText("家庭共用卡").click();
  await wallet.getByRole("button", { name: "移除「我的手機」" }).waitFor();
});

test("above the cap of offline codes the till says so, with the cap, and asks for an online code", async () => {
  await cutOff();
  const digits = await unusedDigits();
  await refused("500.01", digits, "超過離線付款碼的額度");
  await till.getByText("上限 500.00").waitFor();
  await till.getByText("請會員連上網路，出示線上付款碼。").waitFor();
  await setOffline(false);
});

test("with a network the member may choose an offline code, and a revoked phone's code is refused", async () => {
  await wallet.getByRole("button", { name: "改用離線付款碼" }).click();
  await offlineTitle(wallet).waitFor();
  const digits = await unusedDigits();
  await wallet.getByRole("button", { name: "移除「我的手機」" }).click();
  await wallet.getByRole("heading", { name: "付款碼", exact: true }).waitFor();
  await wallet.getByRole("button", { name: "在這個裝置啟用" }).waitFor();
  await refused("1.00", digits, "付款碼已失效或已使用");
  assert.equal(await wallet.getByRole("button", { name: "改用離線付款碼" }).count(), 0);
});

test("who signs out leaves no key on the device", async () => {
  await wallet.getByRole("button", { name: "在這個裝置啟用" }).click();
  await wallet.getByRole("button", { name: "移除「我的手機」" }).waitFor();
  assert.equal((await deviceKeys(wallet)).length, 1);
  const revoked = wallet.waitForResponse((response) => response.request().method() === "DELETE" && response.ok());
  await wallet.getByRole("button", { name: "登出" }).click();
  await revoked;
  await wallet.getByLabel("電子郵件").waitFor();
  assert.deepEqual(await deviceKeys(wallet), []);
  assertNoFaults(wallet, till);
});
