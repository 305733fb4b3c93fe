// An intent keeps its key over a reload, and never lends it to another request.

import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { test } from "node:test";

import { forceCloseDatabase } from "fake-indexeddb";

import {
  type KeyValueStorage,
  MpsClient,
  type MpsClientOptions,
  indexedDbStorage,
  memoryStorage,
  webStorage,
} from "@mps/sdk/client";

import { withNavigator, withoutLocks } from "./locks.ts";
import { pageStorage } from "./page_storage.ts";
import { charged, sampleAnswerTo } from "./sample_answers.ts";

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
    const paid = await client(storage(), [Response.json(charged({ tx_no: "PAY0000000001" }))], keys).charge(request, { intent });
    assert.equal(paid.tx_no, "PAY0000000001");
    // Paid already: asked once more, the server answers the first payment.
    await client(storage(), [Response.json(charged({ tx_no: "PAY0000000001" }))], keys).charge(request, { intent });
    assert.equal(keys.length, 3);
    assert.equal(new Set(keys).size, 1);
    assert.ok(keys[0] !== null && keys[0] !== undefined && keys[0].length === 36);
  });
}

test("IndexedDB that the browser closed is opened anew, and one that another tab deletes is let go", async () => {
  const opened: IDBDatabase[] = [];
  const listening = new Proxy(indexedDB, {
    get: (factory, name) => {
      if (name !== "open") return undefined;
      return (...given: [string, number]) => {
        const request = factory.open(...given);
        request.addEventListener("success", () => void opened.push(request.result));
        return request;
      };
    },
  });
  const storage = indexedDbStorage("closing", listening);
  await storage.set("a", "1");
  opened[0]?.close(); // without an event
  assert.equal(await storage.get("a"), "1");
  forceCloseDatabase(opened[1] as never); // with one
  assert.equal(await storage.get("a"), "1");
  assert.equal(opened.length, 3);
  await new Promise<void>((resolve, reject) => {
    const deleting = indexedDB.deleteDatabase("closing");
    deleting.onsuccess = () => resolve();
    deleting.onblocked = () => reject(new Error("the storage holds on to it"));
  });
  assert.equal(await storage.get("a"), null);
});

/** Two tabs ask for the same at once. */
async function askTwice(first: KeyValueStorage, second: KeyValueStorage): Promise<number> {
  const keys: (string | null)[] = [];
  const send = (storage: KeyValueStorage) => client(storage, [Response.json(charged())], keys).charge(request, { intent: "order-at-once" });
  await Promise.all([send(first), send(second)]);
  assert.equal(keys.length, 2);
  return new Set(keys).size;
}

/** What an app writes for a store of its phone: three methods, each of which takes a while. */
function plainStorage(): KeyValueStorage {
  const kept = new Map<string, string>();
  const later = () => new Promise(setImmediate);
  return {
    get: (name) => later().then(() => kept.get(name) ?? null),
    set: (name, value) => later().then(() => void kept.set(name, value)),
    remove: (name) => later().then(() => void kept.delete(name)),
  };
}

test("two tabs with the same intent at once send one key", async () => {
  for (const [place, storage] of places) assert.equal(await askTwice(storage(), storage()), 1, place);
  await withoutLocks(async () => {
    const unlocked = memoryStorage();
    assert.equal(await askTwice(unlocked, unlocked), 1);
    assert.equal(await askTwice(indexedDbStorage("unlocked"), indexedDbStorage("unlocked")), 1);
  });
});

test("a page without locks sends one key of an intent, whatever its storage can do", async () => {
  const page = pageStorage();
  const plain = plainStorage();
  await withoutLocks(async () => {
    assert.equal(await askTwice(webStorage(page), webStorage(page)), 1);
    assert.equal(await askTwice(plain, plain), 1);
  });
});

test("where the page is refused its locks, the storage does without", async () => {
  const request = (): Promise<never> => Promise.reject(new DOMException("sandboxed", "SecurityError"));
  await withNavigator({ locks: { request } }, async () => {
    const sandboxed = memoryStorage();
    assert.equal(await askTwice(sandboxed, sandboxed), 1);
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
  const answers = [problem("INSUFFICIENT_BALANCE", 402, "after_fix"), Response.json({ cancelled: true })];
  await assert.rejects(client(storage, answers, keys).charge(request, { intent: "order-6" }), { code: "INSUFFICIENT_BALANCE" });
  assert.equal(await shop.keptIntent("order-6"), undefined);
});

test("an intent is not lent to another request", async () => {
  const storage = memoryStorage();
  const keys: (string | null)[] = [];
  await assert.rejects(client(storage, [], keys).charge(request, { intent: "order-1" }));
  const other = { ...request, raw_amount: "1.00" };
  const refused = client(storage, [Response.json(charged())], keys).charge(other, { intent: "order-1" });
  await assert.rejects(refused, { code: "IDEMPOTENCY_KEY_REUSED", idempotencyKey: keys[0] });
  assert.equal(keys.length, 1, "nothing was sent");
});

/** What the database does: of one key it moves money once, and answers what it did then; a cancelled one never moves any. */
class Books {
  readonly keys: string[] = [];
  readonly done = new Map<string, string>();
  readonly cancelled = new Set<string>();
  /** In place of the answers that are due: before anything is done, or when it is done already. */
  readonly instead: ("lost" | "lost before" | Response)[] = [];

  readonly fetch = (url: unknown, init?: RequestInit): Promise<Response> => {
    const body = typeof init?.body === "string" ? init.body : "";
    if (String(url).endsWith("/api/payment/cancel")) return Promise.resolve(this.#cancel(JSON.parse(body) as { idempotency_key: string }));
    const key = new Headers(init?.headers).get("Idempotency-Key") ?? "";
    this.keys.push(key);
    const instead = this.instead.shift();
    if (instead === "lost before") return Promise.reject(new TypeError("offline"));
    if (instead !== undefined && instead !== "lost") return Promise.resolve(instead);
    if (this.cancelled.has(key)) return Promise.resolve(problem("REQUEST_CANCELLED", 409, "after_fix"));
    const known = this.done.get(key);
    if (known !== undefined && known !== body) return Promise.resolve(problem("IDEMPOTENCY_KEY_REUSED", 422, "never"));
    this.done.set(key, body);
    const answer = sampleAnswerTo("POST", new URL(String(url)).pathname, { replayed: known !== undefined });
    return instead === "lost" ? Promise.reject(new TypeError("offline")) : Promise.resolve(Response.json(answer));
  };

  #cancel({ idempotency_key: key }: { idempotency_key: string }): Response {
    if (!this.done.has(key)) this.cancelled.add(key);
    return Response.json({ cancelled: this.cancelled.has(key) });
  }

  client(storage = memoryStorage(), options: Partial<MpsClientOptions> = {}): MpsClient {
    const { fetch } = this;
    return new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", retriesMax: 0, fetch, storage, ...options });
  }
}

const bare = (status: number): Response => new Response("<html>", { status });
const refund = { merchant_code: "SHOP001", original_tx_no: "PAY0000000001", refund_amount: "1.00" };
const refunding = { intent: "refund-17" };

test("after an answer that was lost nothing moves money a second time, whatever is answered in between", async () => {
  const between: readonly (readonly [string, Response | undefined, object])[] = [
    ...[400, 403, 404, 408, 413, 425, 500, 520].map((status) => [`bare ${String(status)}`, bare(status), {}] as const),
    ...([["NOT_CONFIGURED", 503], ["NOT_MERCHANT_USER", 403], ["NOT_FOUND", 404], ["MALFORMED_BODY", 400], ["NOT_AUTHENTICATED", 401], ["RATE_LIMITED", 429], ["A_NEWER_CODE", 409]] as const).map(([code, status]) => [code, problem(code, status, "after_fix"), {}] as const),
    ["a faulty option", undefined, { timeoutMs: NaN }],
    ["an aborted signal", undefined, { signal: AbortSignal.abort() }],
  ];
  for (const [name, answer, options] of between) {
    const books = new Books();
    const shop = books.client();
    books.instead.push("lost");
    await assert.rejects(shop.call("refund", refund, refunding), { code: "UNAVAILABLE" });
    if (answer !== undefined) books.instead.push(answer);
    // It was done: whoever is told anything else is told that nobody knows.
    const told = await shop.call("refund", refund, { ...refunding, ...options }).then(() => "done", (error: { name: string; retry?: string }) => error.retry ?? error.name);
    assert.ok(["done", "same_key", "after_fix", "AbortError"].includes(told), `${name}: ${told}`);
    assert.deepEqual(await shop.keptIntent("refund-17").then((kept) => kept?.body), refund, name);
    await assert.rejects(shop.call("refund", { ...refund, refund_amount: "2.00" }, refunding), { code: "IDEMPOTENCY_KEY_REUSED" }, name);
    await shop.call("refund", refund, refunding);
    assert.deepEqual([books.done.size, books.cancelled.size], [1, 0], name);
  }
});

test("a bare status says nothing: another request does not follow it", async () => {
  for (const status of [400, 403, 404, 500]) {
    const books = new Books();
    const shop = books.client();
    books.instead.push(bare(status));
    await assert.rejects(shop.call("refund", refund, refunding));
    assert.notEqual(await shop.keptIntent("refund-17"), undefined, String(status));
    await assert.rejects(shop.call("refund", { ...refund, refund_amount: "2.00" }, refunding), { code: "IDEMPOTENCY_KEY_REUSED" });
    assert.equal(books.keys.length, 1);
  }
});

test("the same within one call: a lost attempt that did it, then a refusal at the door", async () => {
  const books = new Books();
  const shop = books.client(memoryStorage(), { retriesMax: 3, retryDelayMs: 0 });
  books.instead.push("lost", bare(403));
  await shop.call("refund", refund, refunding);
  assert.deepEqual([books.keys.length, new Set(books.keys).size, books.done.size], [3, 1, 1]);
});

test("once its key is cancelled a refused intent takes another one, and whatever came late with the first moves nothing", async () => {
  for (const [code, status] of [["QR_EXPIRED_OR_INVALID", 409], ["INSUFFICIENT_BALANCE", 402], ["NOT_MERCHANT_USER", 403]] as const) {
    const books = new Books();
    const shop = books.client();
    books.instead.push("lost before", problem(code, status, "after_fix"));
    const intent = "order-9";
    await assert.rejects(shop.charge(request, { intent }), { code: "UNAVAILABLE" });
    await assert.rejects(shop.charge(request, { intent }), { code, keyCancelled: true });
    assert.equal(await shop.keptIntent(intent), undefined);
    const late = await books.fetch("/api/payment/charge", { headers: { "Idempotency-Key": books.keys[0] ?? "" }, body: JSON.stringify(request) });
    assert.equal(late.status, 409);
    await shop.charge({ ...request, qr_plain: "701234567890123456789025" }, { intent });
    assert.deepEqual([new Set(books.keys).size, books.done.size, books.cancelled.size], [2, 1, 1]);
  }
});

test("a first refusal keeps the intent's key for the next request, and cancels nothing", async () => {
  const books = new Books();
  const shop = books.client();
  books.instead.push(problem("INSUFFICIENT_BALANCE", 402, "after_fix"));
  await assert.rejects(shop.charge(request, { intent: "order-9" }), { code: "INSUFFICIENT_BALANCE", keyCancelled: false });
  await shop.charge({ ...request, raw_amount: "1.00" }, { intent: "order-9" });
  assert.deepEqual([books.keys.length, new Set(books.keys).size, books.cancelled.size], [2, 1, 0]);
});

test("an attempt of which nothing was done, or which was never sent, holds nobody to its request", async () => {
  const firsts: readonly (readonly [string, (books: Books, shop: MpsClient) => Promise<unknown>])[] = [
    ...([["RATE_LIMITED", 429], ["NOT_AUTHENTICATED", 401], ["NOT_MERCHANT_USER", 403]] as const).map(([code, status]) => [code, (books: Books, shop: MpsClient) => {
      books.instead.push(problem(code, status, "after_fix"));
      return shop.charge(request, { intent: "order-8" });
    }] as const),
    ["an aborted signal", (_, shop) => shop.charge(request, { intent: "order-8", signal: AbortSignal.abort() })],
    ["a faulty option", (_, shop) => shop.charge(request, { intent: "order-8", timeoutMs: NaN })],
    ["no token", (books) => books.client(memoryStorage(), { accessToken: () => Promise.reject(new Error("no session")) }).charge(request, { intent: "order-8" })],
  ];
  for (const [name, first] of firsts) {
    const books = new Books();
    const shop = books.client();
    await assert.rejects(first(books, shop));
    assert.equal(await shop.keptIntent("order-8"), undefined, name);
    await shop.charge({ ...request, qr_plain: "701234567890123456789025" }, { intent: "order-8" });
    assert.equal(books.done.size, 1, name);
  }
});

test("what the server takes for the same request is the same here: any order of fields, null for nothing, another tag", async () => {
  const books = new Books();
  const shop = books.client();
  books.instead.push("lost before");
  const intent = "order-10";
  await assert.rejects(shop.charge({ ...request, tag: { at: 1 } }, { intent }), { code: "UNAVAILABLE" });
  const { merchant_code, qr_plain, raw_amount } = request;
  await shop.call("charge", { raw_amount, qr_plain, merchant_code, terminal_code: null, tag: { at: 2 } }, { intent });
  assert.deepEqual([books.keys.length, new Set(books.keys).size], [2, 1]);
});

test("whoever is refused while another tab sends the same intent does not say so before the key is cancelled", async () => {
  const books = new Books();
  const held: (() => void)[] = [];
  // The other tab's request is on its way while the first one is refused.
  const fetch = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    if (!(url instanceof Request ? url.url : url.toString()).endsWith("/cancel") && held.length < 2) await new Promise<void>((resolve) => void held.push(resolve));
    return books.fetch(url, init);
  };
  const storage = memoryStorage();
  const tab = (): Promise<unknown> => books.client(storage, { fetch }).charge(request, { intent: "order-11" }).catch((error: unknown) => error);
  books.instead.push(problem("INSUFFICIENT_BALANCE", 402, "after_fix"), problem("INSUFFICIENT_BALANCE", 402, "after_fix"));
  const first = tab();
  while (held.length < 1) await new Promise(setImmediate);
  const other = tab();
  while (held.length < 2) await new Promise(setImmediate);
  held[0]?.();
  assert.deepEqual(await first.then((told) => (told as { keyCancelled?: unknown }).keyCancelled), true);
  held[1]?.();
  assert.deepEqual(await other.then((told) => (told as { code?: unknown }).code), "REQUEST_CANCELLED");
  assert.equal(books.done.size, 0);
});

test("a forgotten intent is a new one", async () => {
  const storage = memoryStorage();
  const keys: (string | null)[] = [];
  const shop = client(storage, [Response.json(charged()), Response.json(charged())], keys);
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
    await client(storage, [Response.json(charged())], keys).charge(request, { intent: "order-4" });
    assert.ok(keys.length === 1 && keys[0] !== "k", text);
  }
});

test("a key that cannot be kept is not sent", async () => {
  const full = new DOMException("full", "QuotaExceededError");
  const storage = { ...memoryStorage(), set: () => Promise.reject(full), update: () => Promise.reject(full) };
  const keys: (string | null)[] = [];
  const refused = client(storage, [Response.json(charged())], keys).charge(request, { intent: "order-5" });
  await assert.rejects(refused, { name: "Unavailable", code: "UNAVAILABLE", cause: full });
  assert.deepEqual(keys, []);
});

test("a storage whose update does not even ask has kept nothing, and nothing is sent", async () => {
  const storage = { ...memoryStorage(), update: () => Promise.resolve() };
  const keys: (string | null)[] = [];
  const refused = client(storage, [Response.json(charged())], keys).charge(request, { intent: "order-7" });
  await assert.rejects(refused, { name: "Unavailable", code: "UNAVAILABLE" });
  assert.deepEqual(keys, []);
});

test("a refusal is told even when it cannot be noted", async () => {
  const whole = memoryStorage();
  let times = 0;
  const storage = { ...whole, update: (...given: Parameters<NonNullable<KeyValueStorage["update"]>>) => (times++ === 0 ? whole.update?.(...given) : undefined) ?? Promise.reject(new Error("gone")) };
  const refused = client(storage, [problem("INSUFFICIENT_BALANCE", 402, "after_fix")], []).charge(request, { intent: "order-6" });
  await assert.rejects(refused, { code: "INSUFFICIENT_BALANCE" });
});
