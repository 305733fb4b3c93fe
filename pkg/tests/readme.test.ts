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

test("the policy that the README gives to apps is that of the page in tests/packaging", () => {
  const policies = ["../README.md", "../../tests/packaging/projects/webview/index.html"].map((file) => {
    const text = readFileSync(new URL(file, import.meta.url), "utf8");
    return /<meta http-equiv="Content-Security-Policy" content="[^"]+">/.exec(text)?.[0];
  });
  assert.ok(policies[0] !== undefined && policies[0] === policies[1], policies.join("\n"));
});
