// The texts of amount and code fields: taken whole or refused whole, whatever is typed or pasted.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as mps from "@mps/sdk";
import fc from "fast-check";

type Options = mps.AmountInputOptions;

/** What is read, or why nothing is, in one word. */
function read(text: string, options?: Options): string {
  const input = mps.parseAmountInput(text, options);
  if (input.kind === "amount") return input.amount;
  return input.kind === "empty" ? "empty" : [input.reason, input.character].filter((part) => part !== undefined).join(" ");
}

const signs = { currencySigns: ["¥", "NT$", "元", "CNY"] };

test("amounts are read as people write them, in any country and with any input method", () => {
  const taken: readonly (readonly [text: string, amount: string])[] = [
    ["1", "1"],
    ["007", "7"],
    ["0.5", "0.5"],
    [".5", "0.5"],
    ["12,50", "12.50"],
    ["12,5", "12.5"],
    [" 29.90", "29.90"],
    ["29.90\u00a0", "29.90"],
    ["\t29.90\r\n", "29.90"],
    ["1.234,50", "1234.50"],
    ["1,234.50", "1234.50"],
    ["1,234,567", "1234567"],
    ["1.234.567", "1234567"],
    ["12,34,567.80", "1234567.80"],
    ["1 234 567,80", "1234567.80"],
    ["1\u202f234,5", "1234.5"],
    ["1’234.50", "1234.50"],
    ["1 234", "1234"],
    ["１２．５０", "12.50"],
    ["１，２３４．５０", "1234.50"],
    ["12。5", "12.5"],
    ["١٢٫٥٠", "12.50"],
    ["١٬٢٣٤٫٥٠", "1234.50"],
    ["\u200f۱۲٫۵۰", "12.50"],
    ["१२.५०", "12.50"],
    ["၁၂.၅၀", "12.50"],
    ["999999999999.99", "999999999999.99"],
  ];
  for (const [text, amount] of taken) assert.equal(read(text), amount, JSON.stringify(text));
});

test("what is no amount, or may be two, is refused whole and says why", () => {
  const refused: readonly (readonly [text: string, why: string])[] = [
    ["", "empty"],
    [" \u200e\n", "empty"],
    ["1,234", "ambiguous"],
    ["1.234", "ambiguous"],
    ["１，２３４", "ambiguous"],
    ["12.505", "ambiguous"],
    ["-5", "negative"],
    ["−5", "negative"],
    ["－５", "negative"],
    ["5-", "negative"],
    ["(5)", "negative"],
    ["1e3", "character e"],
    ["0x10", "character x"],
    ["+5", "character +"],
    ["1²", "character ²"],
    ["½", "character ½"],
    ["①", "character ①"],
    ["十二", "character 十"],
    ["Infinity", "character I"],
    ["12.5\u00000", "character \u0000"],
    ["1\u200b2", "character \u200b"],
    ["\u202e05.21", "character \u202e"],
    ["1\n2", "character \n"],
    ["৪5", "character 5"],
    ["¥29.90", "character ¥"],
    ["5 USD", "character U"],
    ["12.", "unfinished"],
    ["1,", "unfinished"],
    [".", "unfinished"],
    ["12.5050", "decimals"],
    ["0.125", "decimals"],
    ["1234,567", "decimals"],
    ["1,234.505", "decimals"],
    ["1..5", "separators"],
    ["1,2.5", "separators"],
    ["1 2", "separators"],
    ["1,23,4", "separators"],
    ["0,123,456", "separators"],
    ["1,234.567.890", "separators"],
    ["1.234,567.89", "separators"],
    ["1234567890123", "too_large"],
  ];
  for (const [text, why] of refused) assert.equal(read(text), why, JSON.stringify(text));
});

test("a comma before three digits is read where the decimal sign is certain", () => {
  const cases: readonly (readonly [text: string, sign: "." | ",", read: string])[] = [
    ["1,234", ".", "1234"],
    ["1.234", ".", "decimals"],
    ["1.234", ",", "1234"],
    ["1,234", ",", "decimals"],
    // By their form these are certain anyhow.
    ["12,50", ".", "12.50"],
    ["1.234,50", ".", "1234.50"],
    ["1,234.50", ",", "1234.50"],
  ];
  for (const [text, decimalSign, expected] of cases) assert.equal(read(text, { decimalSign }), expected, `${text} ${decimalSign}`);
});

test("a currency's sign stands once before or behind the amount, and only one that was named", () => {
  const cases: readonly (readonly [text: string, read: string])[] = [
    ["¥29.90", "29.90"],
    ["￥ 29.90", "29.90"],
    ["29.90 元", "29.90"],
    ["NT$1,234.50", "1234.50"],
    ["CNY 5", "5"],
    ["¥-5", "negative"],
    ["-¥5", "negative"],
    ["¥", "unfinished"],
    ["¥¥5", "character ¥"],
    ["¥5元", "character 元"],
    ["$5", "character $"],
    ["€5", "character €"],
  ];
  for (const [text, expected] of cases) assert.equal(read(text, signs), expected, text);
});

test("whatever Intl writes in any language is read back, or refused as ambiguous", () => {
  const locales = ["en", "zh-Hant-TW", "de", "de-CH", "de-AT", "fr", "hi-IN-u-nu-deva", "ar-EG", "fa", "bn", "my", "sv", "pt-PT", "es", "en-ZA", "th-TH-u-nu-thai", "ja", "ne", "mr", "ckb", "zh-u-nu-fullwide"];
  const cents = fc.bigInt({ min: 0n, max: 99_999_999_999_999n });
  fc.assert(
    fc.property(cents, fc.constantFrom(...locales), fc.constantFrom(0, 1, 2), (value, locale, decimals) => {
      const scale = 10n ** BigInt(decimals);
      const amount = decimals === 0 ? `${value}` : `${value / scale}.${String(value % scale).padStart(decimals, "0")}`;
      fc.pre(amount.replace(/\..*/, "").length <= 12);
      const format = new Intl.NumberFormat(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
      const text = format.format(amount as `${number}`);
      const answer = read(text);
      if (decimals === 0 && value >= 1000n && value < 1_000_000n) assert.ok([amount, "ambiguous"].includes(answer), `${text} is read as ${answer}`);
      else assert.equal(answer, amount, text);
    }),
    { seed: 20261128, numRuns: 3000 },
  );
});

test("the digits of every script are the ten of it, and nothing else is a digit", () => {
  let digits = 0;
  for (let point = 0; point <= 0x10ffff; point += 1) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    const character = String.fromCodePoint(point);
    const input = mps.parseCodeInput(`7${character}`);
    if (!/^\p{Nd}$/u.test(character)) {
      const isPassedOver = input.kind === "code" && input.code === "7";
      assert.ok(isPassedOver || (input.kind === "refused" && [character, character.normalize("NFKC")].includes(input.character)), character);
      continue;
    }
    digits += 1;
    // Of the digits that Unicode has twice, as `７`, the plain one is known.
    const plain = character.normalize("NFKC");
    assert.ok(input.kind === "code" && /^7\d$/.test(input.code), character);
    if (/^\d$/.test(plain)) assert.equal(input.code, `7${plain}`, character);
  }
  assert.ok(digits >= 680, `${digits}`);
  for (const numberingSystem of Intl.supportedValuesOf("numberingSystem")) {
    const text = new Intl.NumberFormat("en", { numberingSystem, useGrouping: false }).format(9876543210);
    if (!/^\p{Nd}{10}$/u.test(text)) continue;
    assert.deepEqual(mps.parseCodeInput(text), { kind: "code", code: "9876543210" }, numberingSystem);
  }
});

/** Texts of what amounts are made of, and of anything else. */
const amountish = fc.string({ unit: fc.constantFrom(..."0123456789.,' １．٫٣-¥e\u00a0"), maxLength: 14 });
const anything = fc.oneof(amountish, fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));

test("an amount has all the digits of its text, in their order, and no others", () => {
  fc.assert(
    fc.property(anything, fc.constantFrom(undefined, "." as const, "," as const), (text, decimalSign) => {
      const input = mps.parseAmountInput(text, { decimalSign, ...signs });
      if (input.kind !== "amount") return;
      assert.match(input.amount, /^(?:0|[1-9]\d{0,11})(?:\.\d{1,2})?$/);
      const code = mps.parseCodeInput([...text].filter((character) => /[\p{Nd}]/u.test(character)).join(""));
      assert.equal(code.kind === "code" ? code.code.replace(/^0+/, "") : "", input.amount.replace(".", "").replace(/^0+/, ""));
    }),
    { seed: 20261128, numRuns: 20_000 },
  );
});

test("a character that is no part of an amount refuses the text wherever it stands", () => {
  const strange = fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).filter((unit) => !/[\p{Nd}\s\p{Zs}.,'’。٫٬｡．，＇\u200b\u200e\u200f\u061c\u2066-\u2069\u202a-\u202c\ufeff]/u.test(unit));
  fc.assert(
    fc.property(fc.constantFrom("12.50", "1,234.50", "5", "１２"), strange, fc.nat(8), (text, unit, at) => {
      const place = Math.min(at, text.length);
      assert.equal(mps.parseAmountInput(text.slice(0, place) + unit + text.slice(place)).kind, "refused");
    }),
    { seed: 20261128, numRuns: 5000 },
  );
});

test("a code is read with whatever parts it, and refused whole when anything else is in it", () => {
  const code = "701234567890123456789017";
  const cases: readonly (readonly [text: string, alphabet: "digits" | "digits_and_letters", read: object])[] = [
    ["7012 3456 7890 1234 5678 9017", "digits", { kind: "code", code }],
    ["7012-3456-7890-1234-5678-9017\r\n", "digits", { kind: "code", code }],
    ["７０１２", "digits", { kind: "code", code: "7012" }],
    ["٧٠", "digits", { kind: "code", code: "70" }],
    ["", "digits", { kind: "empty" }],
    [" - ", "digits", { kind: "empty" }],
    ["70a1", "digits", { kind: "refused", character: "a" }],
    ["70.1", "digits", { kind: "refused", character: "." }],
    ["]C170", "digits", { kind: "refused", character: "]" }],
    ["k7q2 zd", "digits_and_letters", { kind: "code", code: "K7Q2ZD" }],
    ["Ｋ７", "digits_and_letters", { kind: "code", code: "K7" }],
    ["ſ7", "digits_and_letters", { kind: "refused", character: "ſ" }],
    ["K7_", "digits_and_letters", { kind: "refused", character: "_" }],
  ];
  for (const [text, alphabet, expected] of cases) assert.deepEqual(mps.parseCodeInput(text, alphabet), expected, text);
});
