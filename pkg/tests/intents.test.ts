// An intent keeps its key over a reload, and never lends it to another request.

import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { test } from "node:test";

import { type KeyValueStorage, MpsClient, indexedDbStorage, memoryStorage, webStorage } from "@mps/sdk/client";

import { withoutLocks } from "./locks.ts";
import { pageStorage } from "./page_storage.ts";

const request = { merchant_code: "SHOP001", qr_plain: "701234567890123456789017", raw_amount: "299.00" };
const problem = (code: string, status: number, retry: string): Response =>
  Response.json({ code, status, retry, params: {} }, { status });

/** A client that answers from a list, noting the keys it was sent; made anew, it is the page after a reload. */
function client(storage: KeyValueStorage, answers: Response[], keys: (string | null)[]): MpsClient {
  const fetch = (_: unknown, init?: RequestInit): Promise<Response> => {
    keys.push(new Headers(init?.headers).get("Idempotency-Key"));
    const answer = answers.shift();
    return answer === undefined ? Promise.reject(new TypeError("offline")) : Promise.resolve(answer);
  };
  return new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", retriesMax: 0, fetch, storage });
}

const page = pageStorage();
const memory = memoryStorage();
const places: readonly (readonly [string, () => KeyValueStorage])[] = [
  ["memory", () => memory],
  ["Web Storage", () => webStorage(page)],
  ["IndexedDB", () => indexedDbStorage()],
];

for (const [place, storage] of places) {
  test(`${place} keeps what it is given until it is told otherwise`, async () => {
    await storage().set("a", "1");
    await storage().set("a", "2");
    assert.equal(await storage().get("a"), "2");
    await storage().remove("a");
    assert.equal(await storage().get("a"), null);
    assert.equal(await storage().get("never"), null);
  });

  test(`${place}: after a lost answer and a reload the same intent goes with the same key`, async () => {
    const keys: (string | null)[] = [];
    const intent = `order-${place}`;
    await assert.rejects(client(storage(), [], keys).charge(request, { intent }), { code: "UNAVAILABLE" });
    const paid = await client(storage(), [Response.json({ tx_no: "PAY0000000001" })], keys).charge(request, { intent });
    assert.equal(paid.tx_no, "PAY0000000001");
    // Paid already: asked once more, the server answers the first payment.
    await client(storage(), [Response.json({ tx_no: "PAY0000000001" })], keys).charge(request, { intent });
    assert.equal(keys.length, 3);
    assert.equal(new Set(keys).size, 1);
    assert.ok(keys[0] !== null && keys[0] !== undefined && keys[0].length === 36);
  });
}

/** Two tabs ask for the same at once. */
async function askTwice(first: KeyValueStorage, second: KeyValueStorage): Promise<number> {
  const keys: (string | null)[] = [];
  const send = (storage: KeyValueStorage) => client(storage, [Response.json({})], keys).charge(request, { intent: "order-at-once" });
  await Promise.all([send(first), send(second)]);
  assert.equal(keys.length, 2);
  return new Set(keys).size;
}

test("two tabs with the same intent at once send one key", async () => {
  for (const [place, storage] of places) assert.equal(await askTwice(storage(), storage()), 1, place);
  await withoutLocks(async () => {
    const unlocked = memoryStorage();
    assert.equal(await askTwice(unlocked, unlocked), 1);
    assert.equal(await askTwice(indexedDbStorage("unlocked"), indexedDbStorage("unlocked")), 1);
  });
});

test("after a reload the client says what was asked under an intent, until it is refused or forgotten", async () => {
  const storage = memoryStorage();
  const keys: (string | null)[] = [];
  const shop = client(storage, [], keys);
  assert.equal(await shop.keptIntent("order-6"), undefined);
  await assert.rejects(shop.charge(request, { intent: "order-6" }), { code: "UNAVAILABLE" });
  const kept = await client(storage, [], keys).keptIntent("order-6");
  assert.deepEqual(kept, { idempotencyKey: keys[0], path: "/api/payment/charge", body: request });
  await assert.rejects(client(storage, [problem("INSUFFICIENT_BALANCE", 402, "after_fix")], keys).charge(request, { intent: "order-6" }));
  assert.equal(await shop.keptIntent("order-6"), undefined);
});

test("an intent is not lent to another request", async () => {
  const storage = memoryStorage();
  const keys: (string | null)[] = [];
  await assert.rejects(client(storage, [], keys).charge(request, { intent: "order-1" }));
  const other = { ...request, raw_amount: "1.00" };
  const refused = client(storage, [Response.json({})], keys).charge(other, { intent: "order-1" });
  await assert.rejects(refused, { code: "IDEMPOTENCY_KEY_REUSED", idempotencyKey: keys[0] });
  assert.equal(keys.length, 1, "nothing was sent");
});

test("a refusal settles an intent; one at the door does not", async () => {
  for (const [answer, isSettled] of [
    [problem("INSUFFICIENT_BALANCE", 402, "after_fix"), true],
    [problem("NOT_AUTHENTICATED", 401, "after_fix"), false],
    [problem("RATE_LIMITED", 429, "after_fix"), false],
    [problem("INTERNAL", 500, "same_key"), false],
  ] as const) {
    const storage = memoryStorage();
    const keys: (string | null)[] = [];
    await assert.rejects(client(storage, [answer], keys).charge(request, { intent: "order-2" }));
    await client(storage, [Response.json({})], keys).charge(request, { intent: "order-2" });
    assert.equal(new Set(keys).size, isSettled ? 2 : 1);
  }
});

test("a forgotten intent is a new one", async () => {
  const storage = memoryStorage();
  const keys: (string | null)[] = [];
  const shop = client(storage, [Response.json({}), Response.json({})], keys);
  await shop.charge(request, { intent: "order-3" });
  await shop.forgetIntent("order-3");
  await shop.call("charge", request, { intent: "order-3" });
  assert.equal(new Set(keys).size, 2);
});

test("what is kept and is no intent is replaced", async () => {
  const storage = memoryStorage();
  for (const text of ["{", "null", '{"key":"k"}', '{"key":"k","request":7}', '{"key":"k","request":"/p {"}']) {
    await storage.set("mps.intent.order-4", text);
    assert.equal(await client(storage, [], []).keptIntent("order-4"), undefined, text);
    const keys: (string | null)[] = [];
    await client(storage, [Response.json({})], keys).charge(request, { intent: "order-4" });
    assert.ok(keys.length === 1 && keys[0] !== "k", text);
  }
});

test("a key that cannot be kept is not sent", async () => {
  const full = new DOMException("full", "QuotaExceededError");
  const storage = { ...memoryStorage(), set: () => Promise.reject(full), update: () => Promise.reject(full) };
  const keys: (string | null)[] = [];
  const refused = client(storage, [Response.json({})], keys).charge(request, { intent: "order-5" });
  await assert.rejects(refused, { name: "Unavailable", code: "UNAVAILABLE", cause: full });
  assert.deepEqual(keys, []);
});

test("a refusal is told even when its key cannot be given up", async () => {
  const storage = { ...memoryStorage(), remove: () => Promise.reject(new Error("gone")) };
  const refused = client(storage, [problem("INSUFFICIENT_BALANCE", 402, "after_fix")], []).charge(request, { intent: "order-6" });
  await assert.rejects(refused, { code: "INSUFFICIENT_BALANCE" });
});
