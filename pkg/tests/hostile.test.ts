// Every export of every entry, given anything at all: it answers, or throws an MpsError with a code of the catalogue; afterwards
// the module works as before.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { MpsError, errorCatalogue, init, quote } from "@mps/sdk";
import { memoryStorage, webStorage } from "@mps/sdk/client";

import { hostileValues, spoilt } from "./hostile_values.ts";

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  exports: Record<string, string | Record<string, string>>;
};
const entries = Object.keys(manifest.exports).filter((name) => typeof manifest.exports[name] === "object");

const code = "701234567890123456789017";
const level = { level: 0, name: "all", pointsMin: 0, pointsMax: null, discount: "1.000" };
const order = { merchant_code: "SHOP001", qr_plain: code, raw_amount: "299.00" };
const answering = (body: unknown) => () => Promise.resolve(Response.json(body));
const rpcAnswering = (data: unknown) => ({ rpc: () => Promise.resolve({ data, error: null, status: 200 }) });

/** Right arguments, from which the wrong ones are made. Whatever is not here gets wrong ones only. */
const right: Readonly<Record<string, readonly unknown[]>> = {
  quote: [{ cardType: "standard", rawAmount: "299.00", points: 1200, fixedDiscount: "0.9", corporateDiscounts: [{ cardNo: "COR00000001", discount: "0.9" }], levels: [level] }],
  quoteBatch: [[{ cardType: "standard", rawAmount: "299.00" }]],
  refundPreview: [{ cardType: "standard", finalAmount: "284.05", pointsEarned: 299, amount: "100", pointsLeft: 500, refundedBefore: "0", pointsTakenBefore: 0 }],
  parsePrice: ["1"],
  parsePaymentCode: [code],
  inspectPaymentCode: [code],
  parseAmountInput: ["1,234.50", { decimalSign: ".", currencySigns: ["¥"] }],
  parseCodeInput: ["7012", "digits"],
  levelFor: [1200, [level]],
  pointsFor: ["1"],
  qrSvg: [code, { title: "t", dark: "#000000", light: "#ffffff" }],
  qrMatrix: [code],
  qrPng: [code, { dark: "#000", light: "#fff", quietZone: 4, scale: 1 }],
  drawQr: [{ fillStyle: "", fillRect: () => undefined }, code, { title: "t", dark: "#000", light: "#fff", quietZone: 4, scale: 1, x: 0, y: 0 }],
  readFrame: [{ data: new Uint8Array(32 * 32 * 4), width: 32, height: 32 }],
  scanCamera: [{}, { everyMs: 100, facingMode: "user" }],
  CameraError: ["denied", {}],
  barcodeSvg: [code, { title: "t", dark: "#000", light: "#fff", quietZone: 10, height: 50 }],
  MpsClient: [{ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", fetch: answering({}), timeoutMs: 1000, retriesMax: 0, retryDelayMs: 0, storage: { get: () => Promise.resolve(null), set: () => Promise.resolve(), remove: () => Promise.resolve() } }],
  offlineCode: [{ handle: "4242424242", device_key: "0".repeat(64) }, 60, "K7Q2ZD"],
  OfflineWallet: [memoryStorage(), "c", "4242424242"],
  keep: [memoryStorage(), { card_id: "c", handle: "4242424242", device_key: "0".repeat(64) }],
  open: [memoryStorage(), "c"],
  keepClock: [memoryStorage(), { skewMs: 60_000, uncertaintyMs: 500 }],
  mpsRpc: [rpcAnswering([{}])],
  errorOf: ["INVALID_QR", { status: 400, retry: "never", params: {}, requestId: "r", idempotencyKey: "k" }],
  MpsError: ["INVALID_QR", { status: 400, retry: "never", params: {}, requestId: "r", idempotencyKey: "k" }],
  // Of OfflineWallet.
  code: [60_000, "K7Q2ZD"],
  next: [60_000, "K7Q2ZD"],
  // Of MpsClient and MpsRpc.
  keptIntent: ["i"],
  call: ["charge", order, { idempotencyKey: "k", intent: "i", timeoutMs: 1000 }],
  charge: [order, { idempotencyKey: "k", intent: "i", timeoutMs: 1000 }],
  quotePayment: [order, { timeoutMs: 1000 }],
  validateCode: [order],
  rotateCode: [{ card_id: "c", ttl_seconds: 60 }],
  revokeCode: ["c", { timeoutMs: 1000 }],
  register: [{ name: "Ming", phone: "+886900000001" }],
  payment: ["PAY0000000001", { timeoutMs: 1000 }],
};

/** The right arguments with one of them, or one field of one of them, wrong. */
function* wrongArguments(name: string): Generator<readonly unknown[]> {
  const given = right[name] ?? [];
  for (let place = 0; place < Math.max(given.length, 3); place += 1) {
    const before = Array.from({ length: place }, (_, at) => given[at]);
    const after = given.slice(place + 1);
    for (const value of hostileValues) yield [...before, value, ...after];
    for (const value of spoilt(given[place])) yield [...before, value, ...after];
  }
}

const tooLong = Symbol("too long");

/** What the call throws, at once or later. */
async function thrownBy(call: () => unknown): Promise<readonly [answer?: unknown, thrown?: { readonly value: unknown }]> {
  const clock = new AbortController();
  try {
    const answer = call();
    if (!(answer instanceof Promise)) return [answer];
    const settled: unknown = await Promise.race([answer, sleep(20_000, tooLong, { signal: clock.signal, ref: false })]);
    assert.notEqual(settled, tooLong, "it answers in time");
    return [settled];
  } catch (value) {
    return [undefined, { value }];
  } finally {
    clock.abort();
  }
}

async function hold(what: string, call: () => unknown): Promise<unknown> {
  const [answer, thrown] = await thrownBy(call);
  if (thrown !== undefined) {
    const { value } = thrown;
    const isOurs = value instanceof MpsError && Object.hasOwn(errorCatalogue, value.code);
    assert.ok(isOurs, `${what} threw ${value instanceof Error ? (value.stack ?? value.message) : typeof value}`);
  }
  return answer;
}

const isClass = (value: unknown): boolean => typeof value === "function" && /^class\b/u.test(Function.prototype.toString.call(value));

type Callable = (...args: readonly unknown[]) => unknown;
type Class = new (...args: readonly unknown[]) => object;

const ordinary: readonly object[] = [Object.prototype, Function.prototype, Error, Error.prototype];

/** Methods of an object's class or of its own; not those that every object has. */
function methodsOf(object: object): readonly string[] {
  const names = new Set<string>();
  for (let at: object | null = object; at !== null && !ordinary.includes(at); at = Object.getPrototypeOf(at) as object | null) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  const others = ["constructor", "caller", "callee", "arguments"];
  const isMethod = (name: string): boolean => !others.includes(name) && typeof (object as Record<string, unknown>)[name] === "function";
  return [...names].filter(isMethod);
}

async function tryObject(what: string, object: object): Promise<number> {
  let calls = 0;
  for (const name of methodsOf(object)) {
    for (const args of wrongArguments(name)) {
      await hold(`${what}.${name}`, () => (object as Record<string, Callable>)[name]?.(...args));
      calls += 1;
    }
  }
  return calls;
}

async function tryExport(name: string, value: unknown): Promise<number> {
  let calls = 0;
  const make = isClass(value) ? (...args: readonly unknown[]) => new (value as Class)(...args) : (value as Callable);
  for (const args of wrongArguments(name)) {
    await hold(name, () => make(...args));
    calls += 1;
  }
  if (isClass(value)) calls += await tryObject(name, value as object);
  // There is no camera here.
  if (name === "scanCamera") return calls;
  const made: unknown = await make(...(right[name] ?? []));
  const isOurs = typeof made === "object" && made !== null && !Array.isArray(made) && !ArrayBuffer.isView(made) && !(made instanceof MpsError);
  if (isOurs) calls += await tryObject(name, made);
  return calls;
}

function holdModule(ask: unknown = quote): void {
  assert.equal((ask as typeof quote)({ cardType: "standard", rawAmount: "299.00", points: 1200 }).finalAmount, "284.05");
}

/** Its memory, from under the package. */
async function memoryBytes(): Promise<number> {
  const glue = (await import(new URL("../dist/mps.js", import.meta.url).href)) as { default: () => Promise<{ memory: WebAssembly.Memory }> };
  return (await glue.default()).memory.buffer.byteLength;
}

test("before init() a call says what it lacks", async () => {
  const module = (await import("@mps/sdk")) as unknown as Record<string, Callable>;
  for (const name of ["quote", "parsePaymentCode", "qrSvg", "levelFor"]) {
    await hold(name, () => module[name]?.(...(right[name] ?? [])));
    assert.throws(() => module[name]?.(...(right[name] ?? [])), { code: "NOT_CONFIGURED", params: { what: "init" } });
  }
});

test("a module that is none, or not ours, starts nothing, and init() can be tried anew", async () => {
  for (const source of hostileValues) if (source !== undefined) await hold("init", () => init(source as Uint8Array<ArrayBuffer>));
  assert.throws(() => quote({ cardType: "standard", rawAmount: "1" }), { code: "NOT_CONFIGURED" });
  await init();
  holdModule();
});

/** Entries share what they export. */
const tried = new Set<unknown>();

for (const entry of entries) {
  test(`${entry}: every export, given anything, answers or throws an MpsError of the catalogue`, async (context) => {
    const module = (await import(`@mps/sdk/${entry}`.replace("/.", ""))) as Record<string, unknown>;
    const bytesBefore = await memoryBytes();
    let calls = 0;
    for (const [name, value] of Object.entries(module)) {
      if (typeof value !== "function" || name === "init" || tried.has(value)) continue;
      const callsOfIt = await tryExport(name, value);
      assert.ok(callsOfIt >= 300, `${name}: ${callsOfIt} calls`);
      calls += callsOfIt;
      tried.add(value);
      holdModule(module["quote"]);
    }
    context.diagnostic(`${calls} calls of ${Object.keys(module).length} exports`);
    assert.ok((await memoryBytes()) - bytesBefore < 2 ** 20, "no text of any length grows the module");
  });
}

test("a getter that throws ten thousand times leaves nothing on the module's stack", async () => {
  const corporateDiscounts = [Object.defineProperty({ discount: "0.9" }, "cardNo", { get: () => { throw new Error("no"); } })];
  for (let time = 0; time < 10_000; time += 1) {
    await hold("quote", () => quote({ cardType: "standard", rawAmount: "1", corporateDiscounts: corporateDiscounts as never }));
  }
  holdModule();
});

test("a storage of the page's that throws is UNAVAILABLE with the reason", async () => {
  const full = new DOMException("full", "QuotaExceededError");
  const page = { getItem: () => null, removeItem: () => undefined, setItem: () => { throw full; } };
  await assert.rejects(webStorage(page).set("a", "b"), { name: "Unavailable", code: "UNAVAILABLE", cause: full });
});
