// An intent keeps its key over a reload, and never lends it to another request.

import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { forceCloseDatabase } from "fake-indexeddb";

import {
  type KeyValueStorage,
  MpsClient,
  type MpsClientOptions,
  errorCatalogue,
  indexedDbStorage,
  isErrorCode,
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
  await assert.rejects(client(storage, [problem("INSUFFICIENT_BALANCE", 402, "after_fix")], keys).charge(request, { intent: "order-6" }));
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

/** What the database does: of one key it moves money once, and answers what it did then. */
class Books {
  readonly keys: string[] = [];
  readonly done = new Map<string, string>();
  /** In place of the answers that are due: before anything is done, or when it is done already. */
  readonly instead: ("lost" | "lost before" | Response)[] = [];

  readonly fetch = (address: unknown, init?: RequestInit): Promise<Response> => {
    const key = new Headers(init?.headers).get("Idempotency-Key") ?? "";
    this.keys.push(key);
    const instead = this.instead.shift();
    if (instead === "lost before") return Promise.reject(new TypeError("offline"));
    if (instead !== undefined && instead !== "lost") return Promise.resolve(instead);
    const body = typeof init?.body === "string" ? init.body : "";
    const known = this.done.get(key);
    if (known !== undefined && known !== body) return Promise.resolve(problem("IDEMPOTENCY_KEY_REUSED", 422, "never"));
    this.done.set(key, body);
    const answer = sampleAnswerTo("POST", new URL(String(address)).pathname, { replayed: known !== undefined });
    return instead === "lost" ? Promise.reject(new TypeError("offline")) : Promise.resolve(Response.json(answer));
  };

  client(storage = memoryStorage(), options: Partial<MpsClientOptions> = {}): MpsClient {
    const { fetch } = this;
    return new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", retriesMax: 0, fetch, storage, ...options });
  }
}

const bare = (status: number): Response => new Response("<html>", { status });
const refund = { merchant_code: "SHOP001", original_tx_no: "PAY0000000001", refund_amount: "1.00" };
const refunding = { intent: "refund-17" };

test("after an answer that was lost nothing moves money a second time, whatever is answered in between", async () => {
  const fails = (work: Promise<unknown>): Promise<void> => assert.rejects(work);
  const between: readonly (readonly [string, (books: Books, shop: MpsClient) => Promise<void>])[] = [
    ...[400, 403, 404, 408, 413, 425, 500, 520].map((status) => [`bare ${String(status)}`, (books: Books, shop: MpsClient) => {
      books.instead.push(bare(status));
      return fails(shop.call("refund", refund, refunding));
    }] as const),
    ...([["NOT_CONFIGURED", 503], ["NOT_MERCHANT_USER", 403], ["NOT_FOUND", 404], ["MALFORMED_BODY", 400], ["NOT_AUTHENTICATED", 401], ["RATE_LIMITED", 429], ["A_NEWER_CODE", 409]] as const).map(([code, status]) => [code, (books: Books, shop: MpsClient) => {
      books.instead.push(problem(code, status, "after_fix"));
      return fails(shop.call("refund", refund, refunding));
    }] as const),
    ["a faulty option", (_, shop) => fails(shop.call("refund", refund, { ...refunding, timeoutMs: NaN }))],
    ["an aborted signal", (_, shop) => fails(shop.call("refund", refund, { ...refunding, signal: AbortSignal.abort() }))],
  ];
  for (const [name, answer] of between) {
    const books = new Books();
    const shop = books.client();
    books.instead.push("lost");
    await assert.rejects(shop.call("refund", refund, refunding), { code: "UNAVAILABLE" });
    await answer(books, shop);
    assert.deepEqual(await shop.keptIntent("refund-17").then((kept) => kept?.body), refund, name);
    const { refund_amount } = refund;
    const other = shop.call("refund", { ...refund, refund_amount: "2.00" }, refunding);
    await assert.rejects(other, { code: "IDEMPOTENCY_KEY_REUSED" }, name);
    await shop.call("refund", { ...refund, refund_amount }, refunding);
    assert.equal(books.done.size, 1, name);
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

test("the same within one call: a lost attempt, then a refusal at the door", async () => {
  const books = new Books();
  const shop = books.client(memoryStorage(), { retriesMax: 3, retryDelayMs: 0 });
  books.instead.push("lost", bare(403));
  await assert.rejects(shop.call("refund", refund, refunding), { code: "UNAVAILABLE" });
  await shop.call("refund", refund, refunding);
  assert.deepEqual([books.keys.length, books.done.size], [3, 1]);
});

test("a refusal that comes after the server has looked for the key lets another request follow, with the same key", async () => {
  for (const [code, status] of [["QR_EXPIRED_OR_INVALID", 409], ["INSUFFICIENT_BALANCE", 402], ["CARD_NOT_ACTIVE", 409]] as const) {
    const books = new Books();
    const shop = books.client();
    books.instead.push("lost before", problem(code, status, "after_fix"));
    const intent = "order-9";
    await assert.rejects(shop.charge(request, { intent }), { code: "UNAVAILABLE" });
    await assert.rejects(shop.charge(request, { intent }), { code });
    assert.equal(await shop.keptIntent(intent), undefined);
    await shop.charge({ ...request, qr_plain: "701234567890123456789025" }, { intent });
    assert.deepEqual([books.keys.length, new Set(books.keys).size, books.done.size], [3, 1, 1]);
  }
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

test("a late refusal takes nothing from the request that followed", async () => {
  const storage = memoryStorage();
  const held: { resolve: (answer: Response) => void; reject: (error: Error) => void }[] = [];
  const keys: (string | null)[] = [];
  const fetch = (_: unknown, init?: RequestInit): Promise<Response> => {
    keys.push(new Headers(init?.headers).get("Idempotency-Key"));
    return new Promise((resolve, reject) => void held.push({ resolve, reject }));
  };
  const shop = new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", retriesMax: 0, fetch, storage });
  /** Under way when it comes back; what it ends with is in the list. */
  const send = async (body: typeof request): Promise<readonly Promise<unknown>[]> => {
    const sent = held.length;
    const call = shop.charge(body, { intent: "order-11" }).catch(() => undefined);
    while (held.length === sent) await new Promise(setImmediate);
    return [call];
  };
  const refusal = (): Response => problem("INSUFFICIENT_BALANCE", 402, "after_fix");
  const [one] = await send(request);
  const [other] = await send(request);
  held[0]?.resolve(refusal());
  await one;
  const next = { ...request, raw_amount: "1.00" };
  const [last] = await send(next);
  held[1]?.resolve(refusal());
  await other;
  held[2]?.reject(new TypeError("offline"));
  await last;
  assert.deepEqual(await shop.keptIntent("order-11").then((kept) => kept?.body), next);
  assert.equal(new Set(keys).size, 1);
});

test("no code that the server may answer before it looks for the key lets another request follow", async () => {
  const documents = readFileSync(new URL("../../docs/rpcs.md", import.meta.url), "utf8");
  const lists = [...documents.matchAll(/Errors[^:\n]*: ([^|\n]*IDEMPOTENCY_KEY_REUSED[^|\n]*)/g)].map(([, list = ""]) => list.match(/[A-Z]+(?:_[A-Z]+)+/g) ?? []);
  assert.ok(lists.length >= 8, `${String(lists.length)} functions take a key`);
  const before = new Set<string>(lists.flatMap((codes: readonly string[]) => codes.slice(0, codes.indexOf("IDEMPOTENCY_KEY_REUSED") + 1)));
  for (const code of before) {
    const books = new Books();
    const shop = books.client();
    books.instead.push("lost", problem(code, isErrorCode(code) ? errorCatalogue[code].status : 0, "after_fix"));
    await assert.rejects(shop.charge(request, { intent: "order-12" }), { code: "UNAVAILABLE" });
    await assert.rejects(shop.charge(request, { intent: "order-12" }), { code });
    assert.notEqual(await shop.keptIntent("order-12"), undefined, code);
  }
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
