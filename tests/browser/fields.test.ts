// What is charged is what is in the fields, or nothing is: however soon the cashier confirms after a change, by whatever changed.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { assertNoFaults, launch } from "./browser.ts";
import { type Asked, type PlayedSite, playSite } from "./played_site.ts";

const codes = ["701234567890123456789017", "700000000000000000000005"] as const;
const shops = ["SHOP001", "SHOP002"].map((code) => ({
  code,
  name: code,
  status: "active",
  role: "cashier",
  terminals: [
    { code: "K7Q2ZD", label: "1" },
    { code: "K7Q2ZE", label: "2" },
  ],
}));
const cashier = { user_id: "played", is_admin: false, member_id: null, member_no: null, name: null, phone: null, email: null, status: null, merchants: shops };

let browser: Browser;
let site: PlayedSite;
let till: Page;
let charged: Asked["fields"][] = [];
let answerCharge = Promise.withResolvers<void>();

const priceOf = (amount: unknown) => {
  const common = { card_id: "c", discount: "1.000", discount_source: "none", points_earned: 0 };
  return { ...common, card_type: "standard", raw_amount: amount, final_amount: amount };
};

async function play({ path, fields }: Asked): Promise<object | undefined> {
  if (path === "/api/member/me") return cashier;
  if (path === "/api/payment/quote") return priceOf(fields["raw_amount"]);
  if (path !== "/api/payment/charge") return undefined;
  charged.push(fields);
  await answerCharge.promise;
  return { ...priceOf(fields["raw_amount"]), tx_id: "t", tx_no: "PAY0000000001", created_at: "2026-11-28T00:00:00Z", replayed: false };
}

before(async () => {
  browser = await launch();
  site = await playSite(browser, play);
});
after(async () => {
  await browser.close();
  site.close();
});
beforeEach(async () => {
  charged = [];
  answerCharge = Promise.withResolvers();
  answerCharge.resolve();
  till = await site.open("/merchant.html");
  await till.getByLabel("金額").waitFor();
});

const amountField = () => till.getByLabel("金額");
const codeField = () => till.getByLabel("付款碼", { exact: true });
const button = (amount: string) => till.getByRole("button", { name: `收款 ${amount}`, exact: true });
const paid = () => till.getByRole("heading", { name: "收款成功" });

/** Amount 1 and a code are entered, and their price is on show. */
async function enter(): Promise<void> {
  await amountField().fill("1");
  await codeField().fill(codes[0]);
  await button("1.00").waitFor();
  await amountField().focus();
}

/** What changes the fields, as the page's own script: with the keyboard's commands, so that it takes no time. */
const changes: Readonly<Record<string, (code: string) => void>> = {
  "a digit of the amount": () => void document.execCommand("insertText", false, "0"),
  "the amount deleted": () => void document.execCommand("delete"),
  "a key of the keypad": () => document.querySelectorAll<HTMLButtonElement>(".keypad button")[0]?.click(),
  "the last digit deleted on the keypad": () => document.querySelectorAll<HTMLButtonElement>(".keypad button")[11]?.click(),
  "another code": (code) => {
    document.querySelectorAll<HTMLInputElement>("form input")[1]?.select();
    document.execCommand("insertText", false, code);
  },
  "a digit of the code": () => {
    document.querySelectorAll<HTMLInputElement>("form input")[1]?.focus();
    document.execCommand("insertText", false, "3");
  },
  "another terminal": () => {
    const choice = document.querySelectorAll("select")[1];
    if (choice !== undefined) choice.value = "K7Q2ZE";
    choice?.dispatchEvent(new Event("change", { bubbles: true }));
  },
  "another shop": () => {
    const [choice] = document.querySelectorAll("select");
    if (choice !== undefined) choice.value = "SHOP002";
    choice?.dispatchEvent(new Event("change", { bubbles: true }));
  },
};
const pauses: Readonly<Record<string, () => Promise<unknown>>> = {
  "at once": () => Promise.resolve(),
  "after a task": () => new Promise((resolve) => setTimeout(resolve)),
  "after a frame": () => new Promise((resolve) => requestAnimationFrame(resolve)),
};

/** Changes the fields and confirms in one go. Gives what the fields said then. */
function changeAndConfirm(change: (code: string) => void, pause: () => Promise<unknown>): Promise<Asked["fields"]> {
  const confirm = () => {
    const form = document.querySelector("form");
    const [amount = "", code = ""] = [...(form?.querySelectorAll("input") ?? [])].map(({ value }) => value);
    const [merchant_code, terminal_code] = [...document.querySelectorAll("select")].map(({ value }) => value);
    form?.requestSubmit();
    return { raw_amount: amount, qr_plain: code.replaceAll(" ", ""), merchant_code, terminal_code };
  };
  return till.evaluate(`(async () => { (${String(change)})("${codes[1]}"); await (${String(pause)})(); return (${String(confirm)})(); })()`);
}

for (const [name, change] of Object.entries(changes)) {
  test(`${name} that changes as the charge is confirmed is in it, or nothing is charged`, async () => {
    for (const [when, pause] of Object.entries(pauses)) {
      charged = [];
      await enter();
      const said = await changeAndConfirm(change, pause);
      // Whatever was begun has ended once the till has taken another charge.
      await Promise.race([paid().waitFor(), amountField().fill("7")]);
      if (await paid().isVisible()) await till.getByRole("button", { name: "新的收款" }).click();
      await amountField().fill("7");
      await codeField().fill(codes[0]);
      await button("7.00").click();
      await paid().waitFor();
      const last = charged.pop();
      assert.deepEqual([last?.["raw_amount"], last?.["qr_plain"]], ["7.00", codes[0]]);
      const wrong = charged.filter((sent) => sent["raw_amount"] !== `${String(said["raw_amount"])}.00` || sent["qr_plain"] !== said["qr_plain"] || sent["merchant_code"] !== said["merchant_code"] || sent["terminal_code"] !== said["terminal_code"]);
      assert.deepEqual(wrong, [], `${when}: the fields said ${JSON.stringify(said)}`);
      await till.getByRole("button", { name: "新的收款" }).click();
      await till.evaluate(() => localStorage.removeItem("mps.till"));
      await till.reload();
      await amountField().waitFor();
    }
    assertNoFaults(till);
    await till.context().close();
  });
}

test("typing on and pressing Enter, as a cashier does, never charges the former amount", async () => {
  for (let time = 0; time < 5; time += 1) {
    await enter();
    await till.keyboard.press("End");
    await till.keyboard.press("0");
    await till.keyboard.press("Enter");
    await Promise.race([paid().waitFor(), button("10.00").waitFor()]);
    assert.deepEqual(charged, []);
    await amountField().fill("");
  }
  await enter();
  await till.keyboard.press("Enter");
  await paid().waitFor();
  assert.deepEqual(charged, [{ merchant_code: "SHOP001", terminal_code: "K7Q2ZD", qr_plain: codes[0], raw_amount: "1.00" }]);
  await till.context().close();
});

test("a charge that is confirmed twice, or typed over as it begins, is sent once", async () => {
  answerCharge = Promise.withResolvers();
  await enter();
  await till.evaluate(() => {
    const form = document.querySelector("form");
    form?.requestSubmit();
    form?.requestSubmit();
    document.execCommand("insertText", false, "0");
    form?.requestSubmit();
  });
  await till.getByText("收款中，請勿關閉…").waitFor();
  assert.equal(await amountField().count(), 0, "nothing can be typed any more");
  answerCharge.resolve();
  await paid().waitFor();
  assert.deepEqual(charged.map((sent) => sent["raw_amount"]), ["1.00"]);
  await till.context().close();
});

test("a price on show goes as soon as the fields are others", async () => {
  await enter();
  const shown = await till.evaluate(async () => {
    document.execCommand("insertText", false, "0");
    // When what was typed has been drawn; effects come later.
    await new Promise((resolve) => setTimeout(resolve));
    const submit = document.querySelector<HTMLButtonElement>("form button[type=submit]");
    return [submit?.disabled, submit?.textContent];
  });
  assert.deepEqual(shown, [true, "收款"]);
  await till.context().close();
});

test("a charge of unknown outcome is not left by a double click, whose second half has seen no warning", async () => {
  await till.route("**/api/payment/charge", (route) => route.abort());
  await enter();
  await till.keyboard.press("Enter");
  const leave = till.getByRole("button", { name: "先放下這筆" });
  await leave.dblclick();
  await till.getByText("確定放下？").waitFor();
  await leave.click();
  await amountField().waitFor();
  await till.context().close();
});
