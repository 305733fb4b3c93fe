// What the package adds to the core: objects, errors in their classes, drawings, loading.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";

import * as mps from "@mps/sdk";

const CODE = "701234567890123456789017";

before(async () => {
  assert.throws(() => mps.parsePrice("1"), /await init\(\)/, "a call before init() says what it lacks");
  await Promise.all([mps.init(), mps.init()]);
  await mps.init();
});

/** Runs a module in a Node of its own, where the core is not started yet; gives what it printed. */
function inFreshNode(script: string): string {
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  return execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd, encoding: "utf8" }).trim();
}

test("bytes and a compiled module are sources too", () => {
  for (const source of ["bytes", "new WebAssembly.Module(bytes)"]) {
    const printed = inFreshNode(`
      import { readFileSync } from "node:fs";
      import { init, parsePrice } from "@mps/sdk";
      const bytes = readFileSync(new URL(import.meta.resolve("@mps/sdk/mps_bg.wasm")));
      await init(${source});
      console.log(parsePrice("7.5"));`);
    assert.equal(printed, "7.50", source);
  }
});

test("a start that failed can be tried anew", () => {
  const printed = inFreshNode(`
    import { init, parsePrice } from "@mps/sdk";
    await init(new Uint8Array(8)).catch((error) => console.log(error.name, error.code));
    await init();
    console.log(parsePrice("7.5"));`);
  assert.equal(printed, "Refused MALFORMED_ARGUMENT\n7.50");
});

test("without WebAssembly every entry can be imported, and init() says what is missing", () => {
  const printed = inFreshNode(`
    delete globalThis.WebAssembly;
    for (const entry of ["@mps/sdk", "@mps/sdk/inline"]) {
      const { init, quote, MpsError } = await import(entry);
      const error = await init().catch((thrown) => thrown);
      console.log(error instanceof MpsError, error.code, error.params.what, error.message.includes("WebAssembly"));
      try { quote({ cardType: "standard", rawAmount: "1" }); } catch (thrown) { console.log(thrown instanceof MpsError, thrown.params.what); }
    }
    for (const entry of ["@mps/sdk/scanner", "@mps/sdk/client", "@mps/sdk/supabase"]) await import(entry);`);
  assert.equal(printed, "true NOT_CONFIGURED WebAssembly true\ntrue init\ntrue NOT_CONFIGURED WebAssembly true\ntrue init");
});

test("a standard card pays with the better of its level and the corporate cards", () => {
  const corporateDiscounts = [
    { cardNo: "COR00000002", discount: "0.9" },
    { cardNo: "COR00000001", discount: "0.900" },
  ];
  assert.deepEqual(mps.quote({ cardType: "standard", rawAmount: "299", points: 1000, corporateDiscounts }), {
    rawAmount: "299.00",
    discount: "0.900",
    discountSource: "corporate",
    discountCardNo: "COR00000001",
    finalAmount: "269.10",
    pointsEarned: 299,
  });
  const { discountSource, finalAmount } = mps.quote({ cardType: "standard", rawAmount: "299.00", points: 1000 });
  assert.deepEqual([discountSource, finalAmount], ["level", "284.05"]);
});

test("an argument of another shape is MALFORMED_ARGUMENT, never a panic", () => {
  const bad: unknown[] = [
    undefined,
    null,
    "text",
    {},
    { cardType: "gold", rawAmount: "1" },
    { cardType: "standard" },
    { cardType: "standard", rawAmount: 299 },
    { cardType: "standard", rawAmount: "1", points: -1 },
    { cardType: "standard", rawAmount: "1", points: 1.5 },
    { cardType: "standard", rawAmount: "1", points: 2 ** 60 },
    { cardType: "standard", rawAmount: "1", points: NaN },
    { cardType: "standard", rawAmount: "1", corporateDiscounts: {} },
    { cardType: "standard", rawAmount: "1", corporateDiscounts: [1] },
    { cardType: "prepaid", rawAmount: "1", fixedDiscount: "1.001" },
    { cardType: "standard", rawAmount: "1", levels: [] },
  ];
  for (const request of bad) {
    const refusal = { name: "Refused", code: "MALFORMED_ARGUMENT", status: 400, retry: "after_fix" };
    assert.throws(() => mps.quote(request as mps.QuoteRequest), refusal, JSON.stringify(request));
  }
  assert.equal(mps.quote({ cardType: "voucher", rawAmount: "1" }).finalAmount, "1.00", "the module still works");
});

test("points are the whole units of the raw amount", () => {
  assert.equal(mps.pointsFor("299.99"), 299);
  assert.equal(mps.pointsFor("999999999999.99"), 999_999_999_999);
  assert.throws(() => mps.pointsFor("0"), { code: "INVALID_PRICE" });
});

test("a code is drawn as 21 by 21 modules with the three finder patterns", () => {
  const { size, modules } = mps.qrMatrix(CODE);
  assert.deepEqual([size, modules.length], [21, 441]);
  const row = (y: number, from: number): string => modules.slice(y * 21 + from, y * 21 + from + 7).join("");
  for (const [y, x] of [[0, 0], [0, 14], [14, 0]] as const) {
    const finder = [0, 1, 2, 3, 4, 5, 6].map((offset) => row(y + offset, x));
    assert.deepEqual(finder, ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"]);
  }
});

test("a drawing has a quiet zone of four modules, a title and its colours", () => {
  const drawing = mps.qrSvg(CODE, { title: "付款碼 <1>", dark: "#123456", light: "#fafafa" });
  assert.match(drawing, /^<svg [^>]*viewBox="-4 -4 29 29" role="img"[^>]*><title>付款碼 &lt;1&gt;<\/title>/);
  assert.match(drawing, /<path fill="#fafafa" d="M-4 -4h29v29h-29z"\/><path fill="#123456" d="M0 0h7/);
  assert.ok(!drawing.includes(CODE));
  assert.match(mps.qrSvg(CODE), /<title>Payment code<\/title>/);
  assert.match(mps.qrSvg(CODE, { quietZone: 6 }), /viewBox="-6 -6 33 33"/);
});

test("an error is of the class that says what to do", () => {
  const classes = Object.keys(mps.errorCatalogue).map((code) => [code, mps.errorOf(code).name]);
  const named = (name: string): string[] => classes.flatMap(([code, found]) => (found === name ? [code ?? ""] : []));
  assert.deepEqual(named("Unauthenticated"), ["NOT_AUTHENTICATED"]);
  assert.deepEqual(named("Unavailable"), ["RATE_LIMITED", "UNAVAILABLE", "NOT_CONFIGURED"]);
  assert.deepEqual(named("Unexpected"), ["INTERNAL"]);
  assert.ok(mps.errorOf("INVALID_QR") instanceof mps.MpsError && mps.errorOf("INVALID_QR").message === "INVALID_QR");
});
