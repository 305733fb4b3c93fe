// The entry whose core is a script: the same answers, refusals and classes as from WebAssembly, where there is none and nobody may ask for it.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";

import * as wasm from "@mps/sdk";
import * as script from "@mps/sdk/script";
import { build } from "esbuild";

import { draw, numbers } from "./price_cases.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

before(() => wasm.init());

/** Whether WebAssembly is gone, or there and not to be touched. */
const without = {
  gone: "delete globalThis.WebAssembly;",
  untouchable: `Object.defineProperty(globalThis, "WebAssembly", { get() { throw new Error("WebAssembly was asked for"); } });`,
};

function inFreshNode(type: "module" | "commonjs", program: string): unknown {
  return JSON.parse(execFileSync(process.execPath, [`--input-type=${type}`, "--eval", program], { cwd: root, encoding: "utf8" }));
}

for (const file of ["vectors", "price", "pictures", "offline", "typed", "readme"]) {
  test(`all of ${file}.test.ts holds where asking for WebAssembly throws`, () => {
    // A test within a test would print for the runner of this one.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== "NODE_TEST_CONTEXT"));
    const args = ["--import", "./tests/as_script.ts", "--test-reporter", "tap", `tests/${file}.test.ts`];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /^# pass [1-9]/m);
  });
}

test("imported or required, with or without init(), prices, codes and refusals are there without WebAssembly", () => {
  const ask = `
    const refusal = (call) => { try { call(); } catch (error) { return [error.name, error.code, error.params, error instanceof sdk.Refused]; } };
    console.log(JSON.stringify({
      price: sdk.quote({ cardType: "standard", rawAmount: "299.00", points: 1200 }).finalAmount,
      code: sdk.offlineCode({ handle: "4242424242", device_key: "0".repeat(64) }, 60, "K7Q2ZD"),
      modules: [...sdk.qrMatrix("701234567890123456789017").modules].join(""),
      price0: refusal(() => sdk.parsePrice("0")),
      shape: refusal(() => sdk.quote({ cardType: "gold", rawAmount: "1" })),
      field: refusal(() => sdk.offlineCode({ handle: "1", device_key: "" }, 60)),
      isOneClass: sdk.MpsError === client.MpsError,
    }));`;
  const expected = {
    price: "284.05",
    code: wasm.offlineCode({ handle: "4242424242", device_key: "0".repeat(64) }, 60, "K7Q2ZD"),
    modules: wasm.qrMatrix("701234567890123456789017").modules.join(""),
    price0: ["Refused", "INVALID_PRICE", {}, true],
    shape: ["Refused", "MALFORMED_ARGUMENT", {}, true],
    field: ["Refused", "MALFORMED_ARGUMENT", { field: "handle" }, true],
    isOneClass: true,
  };
  for (const [how, forget] of Object.entries(without)) {
    const imported = `${forget} const sdk = await import("@mps/sdk/script"), client = await import("@mps/sdk/client");`;
    const required = `${forget} const sdk = require("@mps/sdk/script"), client = require("@mps/sdk/client");`;
    assert.deepEqual(inFreshNode("module", `${imported} ${ask}`), expected, `${how}, imported`);
    assert.deepEqual(inFreshNode("module", `${imported} await sdk.init(); ${ask}`), expected, `${how}, imported, after init()`);
    assert.deepEqual(inFreshNode("commonjs", `${required} ${ask}`), expected, `${how}, required`);
    assert.deepEqual(inFreshNode("commonjs", `${required} sdk.init().then(() => { ${ask} });`), expected, `${how}, required, after init()`);
  }
});

test("where the main entry finds no WebAssembly its error names this one, and is of the same class", () => {
  const told = inFreshNode("module", `
    ${without.gone}
    const [main, script] = [await import("@mps/sdk"), await import("@mps/sdk/script")];
    const error = await main.init().catch((thrown) => thrown);
    console.log(JSON.stringify([error instanceof script.MpsError, error.code, error.message.includes("@mps/sdk/script")]));`);
  assert.deepEqual(told, [true, "NOT_CONFIGURED", true]);
});

test("it has every export of the main entry, and its script never names WebAssembly", async () => {
  assert.deepEqual(Object.keys(script).sort(), Object.keys(wasm).sort());
  for (const name of ["MpsError", "Refused", "Unauthenticated", "Unavailable", "Unexpected", "errorCatalogue", "limits"] as const) {
    assert.equal(script[name], wasm[name], name);
  }
  const { outputFiles } = await build({ entryPoints: [`${root}dist/script.js`], bundle: true, write: false, format: "esm" });
  const text = outputFiles[0]?.text ?? "";
  assert.ok(text.includes("parsePaymentCode") && !text.includes("WebAssembly"));
});

/** What a call answers or how it is refused, as it is compared. */
function outcomeOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    assert.ok(error instanceof wasm.MpsError, String(error));
    return [error.name, error.code, error.params];
  }
}

type Sdk = typeof wasm;

function same(ask: (sdk: Sdk) => unknown, what: string): void {
  assert.deepEqual(outcomeOf(() => ask(script)), outcomeOf(() => ask(wasm)), what);
}

test("twenty thousand seeded quotes are those of WebAssembly, refused ones too", () => {
  const next = numbers(20_261_128);
  const spoil = [{ rawAmount: "0" }, { rawAmount: "1.005" }, { points: -1 }, { points: 2 ** 53 }, { points: 0.5 }, { fixedDiscount: "1.001" }, { corporateDiscounts: [{ cardNo: "", discount: "x" }] }];
  for (let count = 0; count < 20_000; count += 1) {
    const request = { ...draw(next), ...(next(10) === 0 ? spoil[next(spoil.length)] : {}) };
    same((sdk) => sdk.quote(request), JSON.stringify(request));
    if (count % 10 > 0) continue;
    const [amount, points] = [`${next(3000)}.${String(next(100)).padStart(2, "0")}`, next(20_000)];
    same((sdk) => [sdk.levelFor(points), sdk.pointsFor(amount)], `${amount} ${points}`);
    const refund = { cardType: request.cardType, finalAmount: "2000.00", pointsEarned: next(3000), amount, pointsLeft: points };
    same((sdk) => sdk.refundPreview(refund), JSON.stringify(refund));
  }
});

test("six hundred seeded codes, and what is drawn of them, are those of WebAssembly", () => {
  const next = numbers(20_261_129);
  const digits = (count: number, base: number): string => Array.from({ length: count }, () => next(base).toString(base)).join("");
  const alphabet = "ABCDEFGHJKMNPQRSTVWXYZ23456789";
  for (let count = 0; count < 600; count += 1) {
    const device = { handle: digits(10, 10), device_key: digits(64, 16) };
    const terminal = next(2) === 0 ? undefined : Array.from({ length: 6 }, () => alphabet[next(alphabet.length)]).join("");
    const seconds = next(2 ** 31) * (1 + next(4));
    same((sdk) => sdk.offlineCode(device, seconds, terminal), `${device.handle} ${seconds}`);
    const code = outcomeOf(() => wasm.offlineCode(device, seconds));
    assert.ok(typeof code === "string" && code.length === 24);
    // Every other one has its check digit wrong.
    const text = count % 2 === 0 ? code : `${code.slice(0, -1)}${(Number(code.at(-1)) + 1) % 10}`;
    for (const ask of [
      (sdk: Sdk) => sdk.parsePaymentCode(text),
      (sdk: Sdk) => sdk.qrMatrix(text).modules,
      (sdk: Sdk) => sdk.qrSvg(text, { title: "付款碼 \u{1f600}" }),
      (sdk: Sdk) => sdk.barcodeSvg(text),
    ]) {
      same(ask, text);
    }
  }
});
