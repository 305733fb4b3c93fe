// What the README says its calls give is what they give.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as mps from "@mps/sdk";

test("every value in the README's first example is right", async () => {
  await mps.init();
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const claims = [...readme.matchAll(/^(?<call>(?:quote|levelFor|parsePaymentCode)\(.*\)\.\w+); \/\/ (?<value>.+)$/gmu)];
  assert.equal(claims.length, 3);
  for (const { groups } of claims) {
    const call = new Function("mps", `with (mps) return ${groups?.["call"] ?? ""}`) as (names: object) => unknown;
    assert.equal(JSON.stringify(call({ ...mps })), groups?.["value"]);
  }
});
