// Prices through the built module: as the rule has them, one by one and in batches; what a refund would do.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import * as mps from "@mps/sdk";

import { compare } from "./price_cases.ts";

before(() => mps.init());

const refused = (call: () => unknown, code: string): void => {
  assert.throws(call, (error) => error instanceof mps.Refused && error.code === code, code);
};

test("a hundred thousand seeded prices are those of the rule", () => {
  assert.deepEqual(compare(mps, 20_261_123, 100_000), { compared: 100_000, differences: [] });
});

test("a batch answers in order, also where a request is not plain", () => {
  const plain = { cardType: "standard", rawAmount: "299", points: 1000 } as const;
  const corporate = { ...plain, corporateDiscounts: [{ cardNo: "COR00000001", discount: "0.5" }] };
  const finals = (requests: Parameters<typeof mps.quoteBatch>[0]): string[] =>
    mps.quoteBatch(requests).map(({ finalAmount }) => finalAmount);
  assert.deepEqual(finals([plain, corporate, { ...plain, rawAmount: "1" }]), ["284.05", "149.50", "0.95"]);
  assert.deepEqual(finals([]), []);
});

test("a batch with a refused request throws its code", () => {
  const plain = { cardType: "standard", rawAmount: "299" } as const;
  refused(() => mps.quoteBatch([plain, { ...plain, rawAmount: "0" }]), "INVALID_PRICE");
  refused(() => mps.quoteBatch([plain, { ...plain, points: -1 }]), "MALFORMED_ARGUMENT");
});

test("a field cannot pose as another, nor one request as two", () => {
  const plain = { cardType: "standard", rawAmount: "299" } as const;
  for (const rawAmount of ["1\t5000", "1\t0\t\nstandard\t1", "1\n", "\t"]) {
    refused(() => mps.quote({ ...plain, rawAmount }), "INVALID_PRICE");
    refused(() => mps.quoteBatch([{ ...plain, rawAmount }]), "INVALID_PRICE");
  }
  refused(() => mps.quote({ ...plain, cardType: "prepaid", fixedDiscount: "" }), "MALFORMED_ARGUMENT");
  refused(() => mps.quote({ ...plain, points: 2 ** 53 }), "MALFORMED_ARGUMENT");
});

test("arguments of any type are refused with a code", () => {
  for (const junk of [undefined, null, 7, "x", [], {}, { cardType: "standard", rawAmount: 1 }, { cardType: Symbol("s") }]) {
    refused(() => mps.quote(junk as never), "MALFORMED_ARGUMENT");
    refused(() => mps.quoteBatch([junk as never]), "MALFORMED_ARGUMENT");
    refused(() => mps.refundPreview(junk as never), "MALFORMED_ARGUMENT");
  }
});

// 299 × 100 ÷ 284.05 = 105.26…
const payment = { cardType: "standard", finalAmount: "284.05", pointsEarned: 299, pointsLeft: 500 } as const;

test("a refund takes its share of the points, the last one the rest", () => {
  const first = mps.refundPreview({ ...payment, amount: "100" });
  assert.deepEqual(first, { remaining: "184.05", pointsTaken: 105, refundedTo: "card" });
  const rest = { ...payment, amount: "184.05", refundedBefore: "100.00", pointsTakenBefore: 105, pointsLeft: 395 };
  assert.deepEqual(mps.refundPreview(rest), { remaining: "0.00", pointsTaken: 194, refundedTo: "card" });
  assert.equal(mps.refundPreview({ ...payment, amount: "284.05", pointsLeft: 7 }).pointsTaken, 7);
});

test("a voucher's refund comes as a new voucher", () => {
  const voucher = { cardType: "voucher", finalAmount: "80.00", pointsEarned: 0, pointsLeft: 0, amount: "30" } as const;
  assert.deepEqual(mps.refundPreview(voucher), { remaining: "50.00", pointsTaken: 0, refundedTo: "newVoucher" });
});

test("a refund of nothing, of too much or of no amount is refused", () => {
  for (const amount of ["0", "0.00", "-1", "1.001", "x", ""]) {
    refused(() => mps.refundPreview({ ...payment, amount }), "INVALID_REFUND_AMOUNT");
  }
  refused(() => mps.refundPreview({ ...payment, amount: "284.06" }), "REFUND_EXCEEDS_REMAINING");
  refused(() => mps.refundPreview({ ...payment, amount: "1", refundedBefore: "284.05" }), "REFUND_EXCEEDS_REMAINING");
  refused(() => mps.refundPreview({ ...payment, amount: "1", finalAmount: "x" }), "MALFORMED_ARGUMENT");
});
