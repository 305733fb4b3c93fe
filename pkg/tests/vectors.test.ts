// The core in WebAssembly gives the answers of spec/vectors.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";

import * as mps from "@mps/sdk";

type Case = Record<string, string | null>;

function vectors(name: string, group: string): Case[] {
  const text = readFileSync(new URL(`../../spec/vectors/${name}.json`, import.meta.url), "utf8");
  const cases = (JSON.parse(text) as Record<string, Case[]>)[group] ?? [];
  assert.ok(cases.length > 0);
  return cases;
}

function of(row: Case, key: string): string {
  const value = row[key];
  assert.ok(typeof value === "string", `${JSON.stringify(row)} has no ${key}`);
  return value;
}

/** What the call answers, or the code it throws. */
function outcome<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    assert.ok(error instanceof mps.Refused, String(error));
    return error.code;
  }
}

before(() => mps.init());

test("a price is rounded away from zero and earns its whole units", () => {
  for (const row of vectors("price", "cases")) {
    const priced = outcome(() => {
      const { finalAmount, pointsEarned } = mps.quote({
        cardType: "prepaid",
        rawAmount: of(row, "raw_amount"),
        fixedDiscount: of(row, "discount"),
      });
      return { finalAmount, points: String(pointsEarned) };
    });
    const expected = row["err"] ?? { finalAmount: of(row, "final_amount"), points: of(row, "points") };
    assert.deepEqual(priced, expected, of(row, "id"));
  }
});

test("the text of an amount is a plain decimal", () => {
  for (const row of vectors("amount-text", "cases")) {
    assert.equal(outcome(() => mps.parsePrice(of(row, "text"))), row["err"] ?? row["shown"], of(row, "id"));
  }
});

test("points give a level and a way to the next", () => {
  for (const row of vectors("level", "cases")) {
    const standing = mps.levelFor(Number(of(row, "points")));
    assert.equal(String(standing.level), row["level"], of(row, "id"));
    assert.equal(standing.discount, row["discount"], of(row, "id"));
    assert.equal(standing.nextLevelPoints?.toString() ?? null, row["next_level_points"], of(row, "id"));
    assert.equal(standing.pointsToNext?.toString() ?? null, row["points_to_next"], of(row, "id"));
  }
});

test("given levels stand in for the house's", () => {
  const levels = vectors("level", "levels").map((row) => ({
    level: Number(row["level"]),
    name: of(row, "name"),
    pointsMin: Number(row["points_min"]),
    pointsMax: row["points_max"] === null ? null : Number(row["points_max"]),
    discount: of(row, "discount"),
  }));
  assert.deepEqual(mps.levelFor(4999, levels), mps.levelFor(4999));
  const gapped = levels.filter((level) => level.level !== 1);
  assert.equal(outcome(() => mps.levelFor(0, gapped)), "MALFORMED_ARGUMENT");
});

test("a payment code says what kind it is", () => {
  for (const row of vectors("payment-code", "online")) {
    assert.deepEqual(mps.parsePaymentCode(of(row, "code")), { kind: "online", handle: undefined });
  }
  for (const row of vectors("payment-code", "offline")) {
    const kind = row["terminal"] === "" ? "offline" : "offlineTerminal";
    assert.deepEqual(mps.parsePaymentCode(of(row, "code")), { kind, handle: row["handle"] }, of(row, "id"));
  }
});

test("text that is no payment code is refused, and inspected as nothing", () => {
  for (const row of vectors("payment-code", "invalid")) {
    assert.equal(outcome(() => mps.parsePaymentCode(of(row, "text"))), row["err"], of(row, "id"));
    assert.equal(mps.inspectPaymentCode(of(row, "text")), null, of(row, "id"));
    assert.equal(outcome(() => mps.qrSvg(of(row, "text"))), row["err"], of(row, "id"));
    assert.equal(outcome(() => mps.qrMatrix(of(row, "text"))), row["err"], of(row, "id"));
  }
});
