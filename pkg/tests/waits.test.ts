// Nothing waits for ever: a storage, a lock, a clock or a supabase-js that hangs ends with the signal or the timeout, and holds up nobody.

import assert from "node:assert/strict";
import { type TestContext, before, test } from "node:test";

import { OfflineWallet, init } from "@mps/sdk";
import { type CallOptions, type KeyValueStorage, MpsClient, indexedDbStorage, keepClock, memoryStorage } from "@mps/sdk/client";
import { mpsRpc } from "@mps/sdk/supabase";

import { withoutLocks } from "./locks.ts";
import { charged } from "./sample_answers.ts";

before(() => init());

const order = { merchant_code: "SHOP001", qr_plain: "701234567890123456789017", raw_amount: "299.00" };
const enrolment = { card_id: "0193b5a0-0000-7000-8000-00000000000b", handle: "4242424242", device_key: "880b6db2c7db538de0d839c08a333146ca16b339d24bc6be75a686ff115d489d" };
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

const silent = (): IDBFactory => ({ open: () => ({}) }) as unknown as IDBFactory;
const hanging: Readonly<Record<string, () => KeyValueStorage>> = {
  "an IndexedDB that does not open": () => indexedDbStorage("mps", silent()),
  "a storage that does not answer": () => ({ get: never, set: never, remove: never }),
  "a storage that does not update": () => ({ get: never, set: never, remove: never, update: never }),
};

/** A till on this storage, and the keys that it sent. */
function till(storage: KeyValueStorage): { readonly shop: MpsClient; readonly keys: (string | null)[] } {
  const keys: (string | null)[] = [];
  const fetch = (_: unknown, request?: RequestInit): Promise<Response> => {
    keys.push(new Headers(request?.headers).get("Idempotency-Key"));
    return Promise.resolve(Response.json(charged()));
  };
  return { shop: new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", retriesMax: 0, fetch, storage }), keys };
}

/** The outcome of work that waits for time to pass. */
async function inTime(context: TestContext, work: () => Promise<unknown>): Promise<unknown> {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  try {
    let outcome: Promise<unknown> | undefined;
    const working = work();
    const note = (): void => void (outcome = working);
    working.then(note, note);
    for (let second = 0; second < 60 && outcome === undefined; second += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      context.mock.timers.tick(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(outcome !== undefined, "it still waits after a minute");
    return await outcome;
  } finally {
    context.mock.timers.reset();
  }
}

const endings: Readonly<Record<string, (options?: CallOptions) => (storage: KeyValueStorage) => Promise<unknown>>> = {
  charge: (options) => (storage) => till(storage).shop.charge(order, { ...options, intent: "order-1" }),
  keptIntent: (options) => (storage) => till(storage).shop.keptIntent("order-1", options),
  forgetIntent: (options) => (storage) => till(storage).shop.forgetIntent("order-1", options),
  keepClock: (options) => (storage) => keepClock(storage, { skewMs: 5000, uncertaintyMs: 500 }, options),
  "OfflineWallet.keep": (options) => (storage) => OfflineWallet.keep(storage, enrolment, options),
  "OfflineWallet.open": (options) => (storage) => OfflineWallet.open(storage, enrolment.card_id, options),
};

for (const [storage, open] of Object.entries(hanging)) {
  for (const [name, ending] of Object.entries(endings)) {
    test(`${name} on ${storage} ends with the signal`, async () => {
      const [abort, reason] = [new AbortController(), new Error("the customer left")];
      const waiting = ending({ signal: abort.signal })(open());
      setImmediate(() => abort.abort(reason));
      await assert.rejects(waiting, reason);
    });

    test(`${name} on ${storage} ends with its time, its own or the usual`, async (context) => {
      for (const options of [{ timeoutMs: 500 }, undefined]) {
        await assert.rejects(inTime(context, () => ending(options)(open())), { name: "Unavailable", code: "UNAVAILABLE", retry: "same_key" });
      }
    });
  }

  test(`a charge on ${storage} holds up no other tab's`, async () => {
    const abort = new AbortController();
    const stuck = till(open());
    const waiting = stuck.shop.charge(order, { intent: "order-1", signal: abort.signal });
    const healthy = till(memoryStorage());
    const other = healthy.shop.charge(order, { intent: "order-1" });
    setImmediate(() => abort.abort(new Error("enough")));
    await assert.rejects(waiting, /enough/);
    assert.deepEqual(await other, charged());
    assert.deepEqual([stuck.keys.length, healthy.keys.length], [0, 1]);
  });
}

test("a lock that somebody never gives back ends a charge with its time, and nothing is sent", async (context) => {
  let free = (): void => undefined;
  const held = navigator.locks.request("mps mps.intent.order-2", () => new Promise<void>((resolve) => (free = resolve)));
  const { shop, keys } = till(memoryStorage());
  const charge = inTime(context, () => shop.charge(order, { intent: "order-2", timeoutMs: 500 }));
  await assert.rejects(charge, { name: "Unavailable", code: "UNAVAILABLE" });
  assert.deepEqual(keys, []);
  free();
  await held;
  await shop.charge(order, { intent: "order-2" });
  assert.equal(keys.length, 1, "nobody waits for the lock any more");
});

test("what answers after the time is over is not written any more", async () => {
  for (const withUpdate of [false, true]) {
    const kept = new Map<string, string>();
    let answer = (): void => undefined;
    const late = new Promise<void>((resolve) => (answer = resolve));
    const put = (name: string, value: string | null): void => void (value === null ? kept.delete(name) : kept.set(name, value));
    const storage: KeyValueStorage = {
      get: (name) => late.then(() => kept.get(name) ?? null),
      set: (name, value) => Promise.resolve(put(name, value)),
      remove: (name) => Promise.resolve(put(name, null)),
      ...(withUpdate ? { update: (name, change) => late.then(() => put(name, change(kept.get(name) ?? null))) } : {}),
    };
    const { shop } = till(storage);
    await assert.rejects(shop.charge(order, { intent: "order-3", timeoutMs: 1 }), { name: "Unavailable" });
    answer();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([...kept], [], "another tab may have its key there by now");
  }
});

test("without locks, a call whose storage hangs lets the next one of its page go on", async () => {
  await withoutLocks(async () => {
    let isStuck = true;
    const memory = memoryStorage();
    const storage: KeyValueStorage = { ...memory, get: (name) => (isStuck ? never() : memory.get(name)) };
    delete storage.update;
    const { shop, keys } = till(storage);
    const stuck = shop.charge(order, { intent: "order-4", timeoutMs: 1 });
    const next = stuck.catch(() => {
      isStuck = false;
      return shop.charge(order, { intent: "order-4" });
    });
    await assert.rejects(stuck, { name: "Unavailable" });
    assert.deepEqual(await next, charged());
    assert.equal(keys.length, 1);
  });
});

test("an IndexedDB that did not open is opened anew, and what comes late is closed", async (context) => {
  const opened: { onsuccess?: () => void; result: { close: () => void } }[] = [];
  let closed = 0;
  const factory = { open: () => opened[opened.push({ result: { close: () => void (closed += 1) } }) - 1] } as unknown as IDBFactory;
  const storage = indexedDbStorage("mps", factory);
  await assert.rejects(inTime(context, () => storage.get("a")), { name: "Unavailable" });
  const tries = opened.length;
  await assert.rejects(inTime(context, () => storage.get("a")), { name: "Unavailable" });
  assert.ok(opened.length > tries);
  for (const request of opened) request.onsuccess?.();
  assert.equal(closed, opened.length, "an open connection would be in the way of whoever deletes the database");
});

test("a supabase-js that never answers ends with its time, and the outcome is unknown", async (context) => {
  const rpc = { then: () => undefined };
  for (const call of [rpc, { ...rpc, abortSignal: () => rpc }]) {
    for (const options of [{ timeoutMs: 500 }, {}]) {
      const pay = (): Promise<unknown> => mpsRpc({ rpc: () => call as never }).call("charge", order, { ...options, idempotencyKey: "k-1" });
      await assert.rejects(inTime(context, pay), { name: "Unavailable", code: "UNAVAILABLE", idempotencyKey: "k-1" });
    }
  }
});
