// The till's fields take what people type or paste, or say that they do not: a text is read whole or refused whole.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { assertNoFaults, launch } from "./browser.ts";
import { type Asked, type PlayedSite, playSite } from "./played_site.ts";

const code = "701234567890123456789017";
const shop = { code: "SHOP001", name: "Shop", status: "active", role: "cashier", terminals: [] };
const cashier = { user_id: "played", is_admin: false, member_id: null, member_no: null, name: null, phone: null, email: null, status: null, merchants: [shop] };

let browser: Browser;
let site: PlayedSite;

function play({ path, fields }: Asked): object | undefined {
  if (path === "/api/member/me") return cashier;
  if (path !== "/api/payment/quote") return undefined;
  const amount = fields["raw_amount"];
  return { card_id: "c", card_type: "standard", raw_amount: amount, discount: "1.000", discount_source: "none", final_amount: amount, points_earned: 0 };
}

before(async () => {
  browser = await launch();
  site = await playSite(browser, (asked) => Promise.resolve(play(asked)));
});
after(async () => {
  await browser.close();
  site.close();
});

const amountField = (till: Page) => till.getByLabel("金額");
const codeField = (till: Page) => till.getByLabel("付款碼", { exact: true });
const hintOf = (till: Page) => till.locator("#amount-hint");
const charge = (till: Page) => till.locator("form button[type=submit]");

async function openTill(locale: string): Promise<Page> {
  const till = await site.open("/merchant.html", { locale });
  await codeField(till).fill(code);
  await amountField(till).focus();
  return till;
}

type Enter = (till: Page, text: string) => Promise<void>;

const ways: Readonly<Record<string, Enter>> = {
  typed: async (till, text) => {
    await amountField(till).fill("");
    await amountField(till).pressSequentially(text);
  },
  // Over what is selected, as a paste puts it in.
  pasted: async (till, text) => {
    await amountField(till).fill("88");
    await amountField(till).selectText();
    await till.keyboard.insertText(text);
  },
};

for (const [way, enter] of Object.entries(ways)) {
  test(`an amount that is ${way} is taken as it was meant, where the comma is the decimal sign and where the point is`, async () => {
    for (const locale of ["de-DE", "zh-TW"]) {
      const till = await openTill(locale);
      for (const [text, price] of [
        ["12,50", "12.50"],
        ["1.234,50", "1,234.50"],
        ["1,234.50", "1,234.50"],
        [" 29.90", "29.90"],
        ["¥29.90", "29.90"],
        ["￥ 29.90 ", "29.90"],
        ["29.90元", "29.90"],
        ["１２．５０", "12.50"],
        ["१२.५०", "12.50"],
        ["١٢٫٥٠", "12.50"],
      ] as const) {
        await enter(till, text);
        await till.getByRole("button", { name: `收款 ${price}`, exact: true }).waitFor();
        assert.equal(await amountField(till).inputValue(), text, "the field keeps what was entered");
        assert.equal(await hintOf(till).innerText(), `讀作 ${price}`);
      }
      assertNoFaults(till);
      await till.context().close();
    }
  });

  test(`an amount that is ${way} and is none, or may be two, is refused with a word, and nothing can be charged`, async () => {
    const till = await openTill("de-DE");
    for (const [text, word] of [
      ["1,234", /千分位/],
      ["1.234", /千分位/],
      ["-5", /負數/],
      ["1e3", /「e」/],
      ["12.5.", /完整/],
      ["12.5050", /兩位小數/],
      ["1,2.5", /分隔符號/],
      ["0", /大於零/],
      ["$5", /「\$」/],
      ["1234567890123", /太大/],
    ] as const) {
      await enter(till, text);
      await hintOf(till).filter({ hasText: word }).waitFor();
      assert.equal(await amountField(till).inputValue(), text, "nothing of it is left out");
      assert.ok(await charge(till).isDisabled(), text);
    }
    // What comes next is read together with it, and cannot mean something else.
    await amountField(till).fill("1e");
    await amountField(till).press("End");
    await till.keyboard.type("50");
    await hintOf(till).filter({ hasText: "「e」" }).waitFor();
    await till.context().close();
  });
}

test("thousands without decimals are taken where page and browser write the same decimal sign", async () => {
  const till = await openTill("zh-TW");
  await amountField(till).fill("1,234");
  await till.getByRole("button", { name: "收款 1,234.00", exact: true }).waitFor();
  await amountField(till).fill("1.234");
  await hintOf(till).filter({ hasText: "兩位小數" }).waitFor();
  await till.context().close();
});

test("the keypad goes on with what the field says", async () => {
  const till = await openTill("zh-TW");
  await amountField(till).fill("12,");
  for (const key of ["5", "0"]) await till.getByRole("button", { name: key, exact: true }).click();
  await till.getByRole("button", { name: "收款 12.50", exact: true }).waitFor();
  await till.getByRole("button", { name: "刪除一位" }).click();
  assert.equal(await amountField(till).inputValue(), "12,5");
  await till.context().close();
});

test("a code with anything but digits in it is not taken, and the field says what was in the way", async () => {
  const till = await openTill("zh-TW");
  const field = codeField(till);
  const inFours = "7012 3456 7890 1234 5678 9017";
  const hint = till.locator("#code-hint");
  for (const [pasted, word] of [
    ["7000 0000 O000 0000 0000 0005", /「O」/],
    ["code 700000000000000000000005", /「c」/],
    ["7000000000000000000000051", /25 位/],
  ] as const) {
    for (const from of [0, 7]) {
      await field.evaluate((input: HTMLInputElement, from) => input.setSelectionRange(from, input.value.length), from);
      await field.focus();
      await till.keyboard.insertText(pasted);
      await hint.filter({ hasText: word }).waitFor();
      assert.equal(await field.inputValue(), inFours, "what was there stays");
    }
  }
  await field.fill("");
  for (const taken of ["7012-3456-7890-1234-5678-9017", "７０１２３４５６７８９０１２３４５６７８９０１７", ` ${inFours}\t`]) {
    await field.fill(taken);
    assert.equal(await field.inputValue(), inFours);
    await hint.filter({ hasText: "付款碼格式正確" }).waitFor();
  }
  // A hand scanner may put a name of its kind before the digits.
  await field.pressSequentially("]C1700000000000000000000005");
  assert.equal(await field.inputValue(), "7000 0000 0000 0000 0000 0005");
  await till.context().close();
});
