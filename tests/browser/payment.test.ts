// A payment through both pages, each in its own browser context: the member's phone and the merchant's till.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { APIResponse, Browser, Page, Route } from "playwright-core";
import { assertNoFaults, launch, openDevice, openPage } from "./browser.ts";
import {
  balanceInCents,
  chargeButton,
  freshDigits,
  newCharge,
  qrPicture,
  shownDigits,
  signIn,
  typeCharge,
} from "./people.ts";
import { readScreenshot, writeFilm } from "./qr.ts";

let browser: Browser;
let wallet: Page;

// Everything here is charged to one member's card, one test after the other: his wallet stays open.
before(async () => {
  browser = await launch();
  wallet = await openPage(await openDevice(browser));
  await signIn(wallet, "ming");
  await qrPicture(wallet).waitFor();
});
after(() => browser.close());

async function openTill(from: Browser = browser): Promise<Page> {
  const till = await openPage(await openDevice(from, { permissions: ["camera"] }));
  await signIn(till, "cashier");
  await till.getByLabel("金額").waitFor();
  return till;
}

/** The member hides his code, which ends it. */
async function hideCode(): Promise<void> {
  const revoked = wallet.waitForResponse((response) => response.url().endsWith("/api/qr/revoke") && response.ok());
  await wallet.getByRole("button", { name: "隱藏付款碼" }).click();
  await revoked;
  assert.equal(await qrPicture(wallet).count(), 0);
}

/** He shows the next one. */
async function showCode(): Promise<string> {
  await wallet.getByRole("button", { name: "顯示付款碼" }).click();
  await qrPicture(wallet).waitFor();
  return shownDigits(wallet);
}

const paid = (till: Page) => till.getByRole("heading", { name: "收款成功" });

/** The till says so, and the wallet has gone on from the code that paid. */
async function assertPaid(till: Page, digits: string): Promise<void> {
  await paid(till).waitFor();
  await freshDigits(wallet, digits);
}

test("a code shown by the member is charged by the cashier, and the wallet follows by itself", async () => {
  const earlier = await balanceInCents(wallet);
  const digits = await shownDigits(wallet);
  assert.match(digits, /^70\d{22}$/);
  assert.equal(readScreenshot(await qrPicture(wallet).screenshot()), digits);

  const till = await openTill();
  for (const key of "299.00") await till.getByRole("button", { name: key, exact: true }).click();
  const field = till.getByLabel("付款碼", { exact: true });
  await field.pressSequentially(digits.slice(0, 10));
  assert.equal(await field.inputValue(), `${digits.slice(0, 4)} ${digits.slice(4, 8)} ${digits.slice(8, 10)}`);
  await field.pressSequentially(digits.slice(10));
  await chargeButton(till, "284.05").click();
  await paid(till).waitFor();
  const outcome = await till.getByRole("status").innerText();
  assert.match(outcome, /PAY\d{10}/);
  assert.match(outcome, /284\.05/);

  await wallet.getByText("已付款 284.05").waitFor();
  assert.equal(await balanceInCents(wallet), earlier - 28405);
  const fresh = await freshDigits(wallet, digits);
  assert.equal(readScreenshot(await qrPicture(wallet).screenshot()), fresh);

  await newCharge(till);
  await typeCharge(till, "1", digits);
  await till.getByText("付款碼已失效或已使用").waitFor();
  await till.getByText("請會員出示新的付款碼。").waitFor();
  assert.ok(await till.getByRole("button", { name: "收款", exact: true }).isDisabled());
  assertNoFaults(wallet, till);
  await till.context().close();
});

test("a mistyped digit is found before anything is sent", async () => {
  const till = await openTill();
  const asked: string[] = [];
  till.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const digits = await shownDigits(wallet);
  const mistyped = `${digits.slice(0, 9)}${(Number(digits[9]) + 1) % 10}${digits.slice(10)}`;
  await till.clock.install();
  await typeCharge(till, "10", mistyped);
  // Long enough for the till's pause before it asks for a price.
  await till.clock.runFor(1000);
  await till.getByText("付款碼不正確，請核對數字。").waitFor();
  await typeCharge(till, "10", digits);
  await till.clock.runFor(1000);
  await till.getByText("付款碼格式正確").waitFor();
  await chargeButton(till, "9.50").waitFor();
  assert.deepEqual(asked.filter((path) => path.startsWith("/api/payment/")), ["/api/payment/quote"]);
  await till.context().close();
});

test("a code scanned into a field that has one takes its place, wherever the caret is", async () => {
  const till = await openTill();
  const earlier = await shownDigits(wallet);
  await hideCode();
  const digits = await showCode();
  const inFours = digits.replaceAll(/(....)(?!$)/g, "$1 ");
  const field = till.getByLabel("付款碼", { exact: true });
  const caret = () => field.evaluate((input: HTMLInputElement) => input.selectionStart);
  // A handheld scanner types like a keyboard, or pastes.
  for (const scan of [() => field.pressSequentially(digits), () => till.keyboard.insertText(digits)]) {
    for (const before of [0, 6, 24]) {
      await field.fill(earlier);
      await field.press("Home");
      for (let moved = 0; moved < before + Math.floor(before / 4); moved += 1) await field.press("ArrowRight");
      await scan();
      assert.equal(await field.inputValue(), inFours);
      assert.equal(await caret(), inFours.length);
    }
  }
  await till.getByText("付款碼格式正確").waitFor();
  // Half a code that was left there is gone as well.
  await field.fill(earlier.slice(0, 10));
  await field.pressSequentially(digits);
  assert.equal(await field.inputValue(), inFours);

  // By hand: a digit typed into a whole code takes the place of the one behind it, and none of the others moves.
  await field.press("Home");
  await field.press("0");
  assert.equal(await field.inputValue(), `0${inFours.slice(1)}`);
  assert.equal(await caret(), 1);
  assertNoFaults(till);
  await till.context().close();
});

test("a code that the member hides after the quote is refused at the charge, and nothing is paid", async () => {
  const earlier = await balanceInCents(wallet);
  const till = await openTill();
  await typeCharge(till, "20", await shownDigits(wallet));
  await chargeButton(till, "19.00").waitFor();
  await hideCode();
  await chargeButton(till, "19.00").click();
  await till.getByRole("heading", { name: "沒有收款" }).waitFor();
  await till.getByText("付款碼已失效或已使用").waitFor();

  await showCode();
  await till.getByRole("button", { name: "換一個付款碼" }).click();
  assert.equal(await till.getByLabel("金額").inputValue(), "20");
  assert.equal(await till.getByLabel("付款碼", { exact: true }).inputValue(), "");
  assert.equal(await balanceInCents(wallet), earlier);
  await till.context().close();
});

test("the till's camera reads the code off the member's screen", async () => {
  const digits = await shownDigits(wallet);
  const folder = mkdtempSync(join(tmpdir(), "mps-film-"));
  const film = join(folder, "screen.y4m");
  writeFilm(film, await qrPicture(wallet).screenshot());
  const withCamera = await launch([
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    `--use-file-for-fake-video-capture=${film}`,
  ]);
  try {
    const till = await openTill(withCamera);
    await till.getByRole("button", { name: "掃描" }).click();
    await till.getByText("付款碼格式正確").waitFor();
    const typed = await till.getByLabel("付款碼", { exact: true }).inputValue();
    assert.equal(typed.replaceAll(" ", ""), digits);
    assert.equal(await till.getByRole("dialog").count(), 0);
    assertNoFaults(till);
  } finally {
    await withCamera.close();
    rmSync(folder, { recursive: true });
  }
});

type Lose = (route: Route, answer: APIResponse) => Promise<void>;

/** Answers of the charge route are lost while `isLost`; the requests do their work. Gives the keys that were sent from this device. */
async function loseAnswers(till: Page, isLost: (count: number) => boolean, lose: Lose): Promise<string[]> {
  const keys: string[] = [];
  await till.context().route("**/api/payment/charge", async (route) => {
    if (route.request().method() === "POST") keys.push((await route.request().headerValue("Idempotency-Key")) ?? "none");
    if (route.request().method() !== "POST" || !isLost(keys.length)) return route.continue();
    await lose(route, await route.fetch());
  });
  return keys;
}

test("a reload while a charge is pending asks again with the same key, and pays once", async () => {
  const earlier = await balanceInCents(wallet);
  const till = await openTill();
  const done = Promise.withResolvers<void>();
  // The first request is done but never answered.
  const keys = await loseAnswers(till, (count) => count === 1, () => Promise.resolve(done.resolve()));
  await typeCharge(till, "40.00", await shownDigits(wallet));
  await chargeButton(till, "38.00").click();
  await done.promise;
  await till.reload();
  await paid(till).waitFor();
  await till.getByText("這筆先前已收款成功，沒有重複扣款。").waitFor();
  assert.equal(keys.length, 2);
  assert.match(keys[0] ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(keys[1], keys[0]);

  await wallet.getByText("已付款 38.00").waitFor();
  assert.equal(await balanceInCents(wallet), earlier - 3800);
  await newCharge(till);
  await till.reload();
  await till.getByLabel("金額").waitFor();
  assert.equal(keys.length, 2);
  await till.context().close();
});

test("a charge whose answers are all lost is shown as unknown until the same key is answered", async () => {
  const earlier = await balanceInCents(wallet);
  const till = await openTill();
  let isDown = true;
  const keys = await loseAnswers(till, () => isDown, (route) => route.abort());
  await typeCharge(till, "60.00", await shownDigits(wallet));
  await chargeButton(till, "57.00").click();
  await till.getByRole("heading", { name: "還不知道這筆是否收款成功" }).waitFor();
  isDown = false;
  await till.getByRole("button", { name: "再試一次" }).click();
  await till.getByText("這筆先前已收款成功，沒有重複扣款。").waitFor();
  assert.ok(keys.length > 1);
  assert.equal(new Set(keys).size, 1);
  await wallet.getByText("已付款 57.00").waitFor();
  assert.equal(await balanceInCents(wallet), earlier - 5700);

  await newCharge(till);
  const unspent = await freshDigits(wallet, "");
  await typeCharge(till, "2.00", unspent);
  await chargeButton(till, "1.90").click();
  await assertPaid(till, unspent);
  assert.equal(new Set(keys).size, 2, "another charge has another key");
  assert.equal(await till.getByText("沒有重複扣款").count(), 0);
  await till.context().close();
});

test("after a refusal the next charge has another key, in a copy of the tab too", async () => {
  const till = await openTill();
  const keys = await loseAnswers(till, () => false, (route) => route.abort());
  await typeCharge(till, "3.00", await shownDigits(wallet));
  await chargeButton(till, "2.85").waitFor();
  await hideCode();
  await chargeButton(till, "2.85").click();
  await till.getByRole("heading", { name: "沒有收款" }).waitFor();
  // As when a tab is duplicated: the browser copies what it keeps.
  const opened = till.waitForEvent("popup");
  await till.evaluate(() => void window.open(location.href));
  const copy = await opened;
  await copy.getByLabel("金額").waitFor();

  await till.getByRole("button", { name: "換一個付款碼" }).click();
  const digits = await showCode();
  await typeCharge(till, "3.00", digits);
  await chargeButton(till, "2.85").click();
  await assertPaid(till, digits);
  const next = await shownDigits(wallet);
  await typeCharge(copy, "3.00", next);
  await chargeButton(copy, "2.85").click();
  await assertPaid(copy, next);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 3);
  await till.context().close();
});

test("a key that is another charge's sends the cashier to the transactions, and the next charge goes through", async () => {
  const till = await openTill();
  const digits = await shownDigits(wallet);
  await typeCharge(till, "3.00", digits);
  const sent = till.waitForRequest((request) => request.url().endsWith("/api/payment/charge") && request.method() === "POST");
  await chargeButton(till, "2.85").click();
  const used = (await (await sent).headerValue("Idempotency-Key")) ?? "none";
  await assertPaid(till, digits);

  // As a tab from before that kept this key: at once, and after an attempt of which nothing is known.
  let isDown = false;
  let isOld = true;
  await till.route("**/api/payment/charge", async (route) => {
    if (route.request().method() === "POST" && isDown) return route.abort();
    const headers = await route.request().allHeaders();
    return route.continue(route.request().method() === "POST" && isOld ? { headers: { ...headers, "idempotency-key": used } } : {});
  });
  for (const isFirstLost of [false, true]) {
    await newCharge(till);
    await typeCharge(till, "4.00", await shownDigits(wallet));
    isDown = isFirstLost;
    await chargeButton(till, "3.80").click();
    if (isFirstLost) {
      await till.getByRole("heading", { name: "還不知道這筆是否收款成功" }).waitFor();
      isDown = false;
      await till.getByRole("button", { name: "再試一次" }).click();
    }
    await till.getByRole("heading", { name: "先前一筆可能已收款" }).waitFor();
    await till.getByText(/請先查詢店家的交易紀錄/).waitFor();
    assert.equal(await till.getByText("沒有收款").count(), 0);
  }
  isOld = false;
  await newCharge(till);
  const unspent = await shownDigits(wallet);
  await typeCharge(till, "4.00", unspent);
  await chargeButton(till, "3.80").click();
  await assertPaid(till, unspent);
  assert.equal(await till.getByText("沒有重複扣款").count(), 0);
  await till.context().close();
});

test("shop and terminal stay as they are until the charge's outcome has been seen", async () => {
  const till = await openTill();
  await till.route("**/api/member/me", async (route) => {
    const answer = await route.fetch();
    const profile = (await answer.json()) as { merchants: { terminals: object[] }[] };
    const [shop] = profile.merchants;
    const twice = { ...shop, terminals: [...(shop?.terminals ?? []), { code: "K7Q2ZE", label: "櫃台 2" }] };
    await route.fulfill({ response: answer, json: { ...profile, merchants: [twice, { ...twice, code: "SHOP002", name: "分店" }] } });
  });
  await till.reload();
  const places = [till.getByRole("combobox", { name: "店家" }), till.getByRole("combobox", { name: "收銀機" })];
  const areDisabled = () => Promise.all(places.map((place) => place.isDisabled()));
  const held = Promise.withResolvers<void>();
  let isDown = true;
  await loseAnswers(till, () => isDown, (route) => held.promise.then(() => route.abort()));
  const digits = await shownDigits(wallet);
  await typeCharge(till, "3.00", digits);
  await chargeButton(till, "2.85").waitFor();
  assert.deepEqual(await areDisabled(), [false, false]);
  await chargeButton(till, "2.85").click();
  await till.getByText("收款中，請勿關閉…").waitFor();
  assert.deepEqual(await areDisabled(), [true, true]);
  held.resolve();
  await till.getByRole("heading", { name: "還不知道這筆是否收款成功" }).waitFor();
  assert.deepEqual(await areDisabled(), [true, true]);
  isDown = false;
  await till.getByRole("button", { name: "再試一次" }).click();
  await assertPaid(till, digits);
  assert.deepEqual(await areDisabled(), [true, true]);
  await newCharge(till);
  await till.getByLabel("金額").waitFor();
  assert.deepEqual(await areDisabled(), [false, false]);
  await till.context().close();
});

test("a charge that is answered while the cashier signs out is shown when he is back", async () => {
  const till = await openTill();
  const [asked, held, signedOut] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const keys = await loseAnswers(till, (count) => count === 1, async (route, response) => {
    asked.resolve();
    await held.promise;
    await route.fulfill({ response });
  });
  await till.route("**/auth/v1/logout*", async (route) => {
    await signedOut.promise;
    await route.continue();
  });
  await typeCharge(till, "5.00", await shownDigits(wallet));
  await chargeButton(till, "4.75").click();
  await asked.promise;
  await till.getByRole("button", { name: "登出" }).click();
  held.resolve();
  await paid(till).waitFor();
  signedOut.resolve();
  await till.getByLabel("密碼").waitFor();

  await signIn(till, "cashier");
  await till.getByText("這筆先前已收款成功，沒有重複扣款。").waitFor();
  await newCharge(till);
  await till.reload();
  await till.getByLabel("金額").waitFor();
  assert.equal(keys.length, 2);
  assert.equal(keys[1], keys[0]);
  await till.context().close();
});

test("a charge that another page of the tab left open is asked about before the next one is sent", async () => {
  const till = await openTill();
  const keys = await loseAnswers(till, () => false, (route) => route.abort());
  const digits = await shownDigits(wallet);
  await typeCharge(till, "6.00", digits);
  await chargeButton(till, "5.70").click();
  await assertPaid(till, digits);
  // What that page keeps appears in this one's storage, too late for it to be seen when this one was opened.
  const name = "mps.intent.charge SHOP001";
  const open = (await till.evaluate((name) => sessionStorage.getItem(name), name)) ?? "";
  await newCharge(till);
  await till.getByLabel("金額").waitFor();
  await till.evaluate(([name = "", text = ""]) => sessionStorage.setItem(name, text), [name, open]);

  const next = await shownDigits(wallet);
  await typeCharge(till, "7.00", next);
  await chargeButton(till, "6.65").click();
  await till.getByText("這筆先前已收款成功，沒有重複扣款。").waitFor();
  await newCharge(till);
  await typeCharge(till, "7.00", next);
  await chargeButton(till, "6.65").click();
  await assertPaid(till, next);
  assert.equal(keys.length, 3);
  assert.equal(keys[1], keys[0]);
  assert.notEqual(keys[2], keys[0]);
  await till.context().close();
});
