// Whatever a server or a page's storage holds: the client answers or throws an MpsError. Seeded, so that a failure comes again.

import assert from "node:assert/strict";
import { test } from "node:test";

import { type KeyValueStorage, MpsClient, MpsError, errorCatalogue } from "@mps/sdk/client";
import { mpsRpc } from "@mps/sdk/supabase";

import { charged } from "./sample_answers.ts";

const cases = 5_000;
const order = { merchant_code: "SHOP001", qr_plain: "701234567890123456789017", raw_amount: "299.00" };

/** mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = seeded(20_261_123);
const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;

const names = ["code", "status", "retry", "params", "instance", "title", "message", "details", "hint", "key", "request", "__proto__", "then", "toJSON", "0"];
const codes = [...Object.keys(errorCatalogue), "TEAPOT", "", "constructor", "PT402", "PT409", "42501", "40001", "22P02", "57014", "PGRST301", "PGRST202", "SUP", "23514", "鍵鍵鍵鍵鍵"];
const texts = [...codes, "same_key", "after_fix", "never", "2026-13-45T99:99:99+00:00", "2026-11-23T01:06:00+00:00", "\ud800", "\0", "x".repeat(5000), '{"tx_no":"PAY1"}', "{", "deadlock detected"];
const numbers = [0, -1, 0.1, 1e308, 2 ** 53, 200, 402, 503, 999];

/** Any JSON, more often like what is meant. */
function anything(depth: number): unknown {
  const kind = random();
  if (kind < 0.35 || depth === 0) return pick<unknown>([pick(texts), pick(numbers), null, true, false]);
  if (kind < 0.5) return Array.from({ length: Math.floor(random() * 3) }, () => anything(depth - 1));
  return Object.fromEntries(Array.from({ length: Math.floor(random() * 6) }, () => [pick(names), anything(depth - 1)]));
}

/** The JSON of it, now and then cut, doubled or with a byte of something else in it. */
function body(): string {
  const text = JSON.stringify(anything(4));
  const at = Math.floor(random() * text.length);
  const kind = random();
  if (kind < 0.7) return text;
  if (kind < 0.8) return text.slice(0, at);
  if (kind < 0.9) return text.slice(0, at) + pick(["\0", "\ufeff", "}", "<html>", "\ud83d"]) + text.slice(at);
  return text + text;
}

/** Codes of the future are the server's to say; everything else is the catalogue's. */
function hold(error: unknown, what: string): void {
  assert.ok(error instanceof MpsError && typeof error.code === "string" && error.code === error.message, `${what}: ${String(error)}`);
  assert.ok(["never", "after_fix", "same_key", "check_first"].includes(error.retry) && Number.isInteger(error.status), what);
  assert.ok(typeof error.params === "object" && error.params !== null && !Array.isArray(error.params), what);
  assert.ok(error.requestId === undefined || typeof error.requestId === "string", what);
}

test(`${cases} answers of any kind are answers or MpsErrors`, async () => {
  let refusals = 0;
  let answer = new Response();
  const fetch = (): Promise<Response> => Promise.resolve(answer);
  const client = new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", retriesMax: 0, fetch });
  for (let round = 0; round < cases; round += 1) {
    const text = body();
    const status = pick([200, 201, 204, 301, 400, 401, 402, 409, 422, 429, 500, 502, 503, 504, 599]);
    const headers = random() < 0.5 ? { "X-Request-Id": "req-1" } : {};
    answer = new Response(status === 204 ? null : text, { status, headers });
    const call = round % 2 === 0 ? client.charge(order, { idempotencyKey: "k" }) : client.cards();
    await call.catch((error: unknown) => {
      refusals += 1;
      hold(error, `${status} ${text}`);
    });
  }
  assert.ok(refusals > cases / 2 && refusals < cases);
});

test(`${cases} answers of supabase-js of any kind are answers or MpsErrors`, async () => {
  let refusals = 0;
  for (let round = 0; round < cases; round += 1) {
    const error = random() < 0.5 ? null : anything(2);
    const answer = random() < 0.95 ? { data: random() < 0.2 ? [charged()] : anything(4), error, status: pick([0, 200, 400, 401, 500]) } : anything(1);
    const rpc = mpsRpc({ rpc: () => Promise.resolve(answer as never) });
    const name = pick(["charge", "listCards", "bindCard", "freezeCard", "getMe"] as const);
    await rpc.call(name, order as never, { idempotencyKey: "k" }).catch((thrown: unknown) => {
      refusals += 1;
      hold(thrown, `${name} ${JSON.stringify(answer)}`);
    });
  }
  assert.ok(refusals > cases / 2 && refusals < cases);
});

test("whatever a storage holds, an intent goes with a key that is one, or not at all", async () => {
  let sent = 0;
  for (let round = 0; round < cases / 4; round += 1) {
    const kept: unknown = random() < 0.8 ? body() : anything(2);
    const storage = { get: () => Promise.resolve(kept), set: () => Promise.resolve(), remove: () => Promise.resolve() } as KeyValueStorage;
    const fetch = (_: unknown, init?: RequestInit): Promise<Response> => {
      sent += 1;
      assert.match(new Headers(init?.headers).get("Idempotency-Key") ?? "", /^[!-~][ -~]{0,254}$/);
      return Promise.resolve(Response.json(charged()));
    };
    const client = new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", retriesMax: 0, fetch, storage });
    await client.charge(order, { intent: "order-1" }).catch((error: unknown) => hold(error, JSON.stringify(kept)));
  }
  assert.ok(sent > cases / 8);
});
