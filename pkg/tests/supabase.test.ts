// The database's functions through the real supabase-js: what is sent, what comes back, and every recorded refusal.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test as once } from "node:test";

import { type MpsRpc, MpsError, type RpcCall, Unavailable, mpsRpc } from "@mps/sdk/supabase";
import { createClient as newest } from "@supabase/supabase-js";
import { createClient as oldest } from "supabase-js-oldest";

/** The ends of what is supported; each test is run with both. */
const versions = { "2.45": oldest, newest } as const;
let createClient: typeof newest;

function test(name: string, work: () => void | Promise<void>): void {
  for (const [version, client] of Object.entries(versions)) {
    once(`supabase-js ${version}: ${name}`, () => {
      createClient = client as typeof newest;
      return work();
    });
  }
}

interface Sent {
  readonly path: string;
  readonly body: Record<string, unknown>;
}

/** supabase-js whose network answers this. */
function answering(status: number, body: string, sent: Sent[] = []): MpsRpc {
  const fetch = (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = new URL(input instanceof Request ? input.url : input);
    const text = typeof init?.body === "string" ? init.body : "{}";
    sent.push({ path: url.pathname, body: JSON.parse(text) as Record<string, unknown> });
    init?.signal?.throwIfAborted();
    // A Response takes no body with these.
    return Promise.resolve(new Response(status === 204 ? null : body, { status }));
  };
  const options = { global: { fetch }, auth: { persistSession: false, autoRefreshToken: false } };
  return mpsRpc(createClient("http://127.0.0.1:9", "sb_publishable_x", options));
}

const charge = { merchant_code: "SHOP001", qr_plain: "701234567890123456789017", raw_amount: "299.00" };
const row = {
  tx_id: "0193b5a0-0000-7000-8000-00000000000a",
  tx_no: "PAY0000000001",
  card_id: "0193b5a0-0000-7000-8000-00000000000b",
  final_amount: 284.05,
  discount: 0.95,
  points_earned: 299,
  discount_source: "level",
  raw_amount: 299,
  created_at: "2026-11-23T01:06:00.5+00:00",
  replayed: false,
};

test("a charge goes out under the function's names with a key, and comes back as the edge answers it", async () => {
  const sent: Sent[] = [];
  const answer = await answering(200, JSON.stringify([row]), sent).call("charge", charge, { idempotencyKey: "k-1" });
  assert.deepEqual(sent, [
    {
      path: "/rest/v1/rpc/merchant_charge_by_qr",
      body: { p_merchant_code: "SHOP001", p_qr_plain: charge.qr_plain, p_raw_amount: "299.00", p_idempotency_key: "k-1" },
    },
  ]);
  const wanted = { ...row, final_amount: "284.05", discount: "0.950", raw_amount: "299.00", created_at: "2026-11-23T01:06:00.500Z" };
  assert.deepEqual(answer, wanted);
});

test("two charges without a key have two", async () => {
  const sent: Sent[] = [];
  const rpc = answering(200, JSON.stringify([row]), sent);
  await rpc.call("charge", charge);
  await rpc.call("charge", charge);
  const keys = sent.map(({ body }) => body["p_idempotency_key"]);
  assert.equal(new Set(keys).size, 2);
  assert.ok(keys.every((key) => typeof key === "string" && key.length === 36));
});

test("null means left out, but where the function takes it for a value", async () => {
  const sent: Sent[] = [];
  const rpc = answering(200, "true", sent);
  const card_id = row.card_id;
  assert.deepEqual(await rpc.call("setCardExpiry", { card_id, expires_at: null }), { changed: true });
  await answering(200, "[]", sent).call("listCards", { member_id: null });
  assert.deepEqual(sent.map(({ body }) => body), [{ p_card_id: card_id, p_expires_at: null }, {}]);
});

test("amounts of every size keep their digits", async () => {
  for (const [number, text] of [
    [0, "0.00"],
    [0.1, "0.10"],
    [999_999_999_999.99, "999999999999.99"],
    [123_456_789_012.34, "123456789012.34"],
    [-4.2, "-4.20"],
  ] as const) {
    const body = JSON.stringify([{ ...row, final_amount: number }]);
    const { final_amount } = await answering(200, body).call("charge", charge);
    assert.equal(final_amount, text);
  }
});

test("moments are in UTC with no, three or six decimals", async () => {
  for (const [given, wanted] of [
    ["2026-11-23T01:06:00+00:00", "2026-11-23T01:06:00Z"],
    ["2026-11-23T09:06:00.123456+08:00", "2026-11-23T01:06:00.123456Z"],
    ["2026-11-23T01:06:00.12+00:00", "2026-11-23T01:06:00.120Z"],
    ["2026-11-23 01:06:00.1234+00", "2026-11-23T01:06:00.123400Z"],
  ] as const) {
    const body = JSON.stringify([{ ...row, created_at: given }]);
    assert.equal((await answering(200, body).call("charge", charge)).created_at, wanted);
  }
});

test("an answer of another shape leaves the outcome unknown, and the key with the error", async () => {
  const without = { ...row, final_amount: undefined };
  const wrong = [null, {}, [], true, [null], [[]], [row, row], [{}], [without], [{ ...row, replayed: 1 }], [{ ...row, tx_no: null }]];
  for (const answer of [...wrong, [{ ...row, final_amount: "284.055" }], [{ ...row, final_amount: "1e3" }], [{ ...row, created_at: "now" }]]) {
    const call = answering(200, JSON.stringify(answer)).call("charge", charge, { idempotencyKey: "k-3" });
    await assert.rejects(call, { name: "Unavailable", code: "UNAVAILABLE", idempotencyKey: "k-3" }, JSON.stringify(answer));
  }
  for (const body of ["", "{", JSON.stringify([row]).slice(0, 40)]) {
    const call = answering(200, body).call("charge", charge, { idempotencyKey: "k-3" });
    await assert.rejects(call, { name: "Unavailable", code: "UNAVAILABLE", idempotencyKey: "k-3" }, `half an answer: ${body}`);
  }
  for (const body of ["{}", "null", "[null]", "[{}]"]) {
    await assert.rejects(answering(200, body).call("listCards", {}), { name: "Unavailable", code: "UNAVAILABLE" }, body);
  }
  for (const body of ["null", "1", "{}", "[]"]) {
    const { card_id } = row;
    await assert.rejects(answering(200, body).call("freezeCard", { card_id }), { name: "Unavailable", code: "UNAVAILABLE" }, body);
  }
});

test("amounts are decimal strings, whether a number or a text with more or fewer zeros said them", async () => {
  for (const given of [955.37, "955.37", "955.3700", "955.370000"]) {
    const answer = await answering(200, JSON.stringify([{ ...row, final_amount: given, raw_amount: "3000" }])).call("charge", charge);
    assert.deepEqual([answer.final_amount, answer.raw_amount], ["955.37", "3000.00"], String(given));
  }
  for (const given of [0.95, "0.95", "0.9500"]) {
    const answer = await answering(200, JSON.stringify([{ ...row, discount: given }])).call("charge", charge);
    assert.equal(answer.discount, "0.950", String(given));
  }
});

test("a wrong binding password is refused, as by the edge", async () => {
  const input = { card_id: row.card_id, member_id: row.tx_id, role: "member", binding_password: "guess-guess" };
  await assert.rejects(answering(200, "false").call("bindCard", input), { code: "INVALID_BINDING_PASSWORD" });
});

interface Case {
  readonly rule: string;
  readonly status: number;
  readonly caller: string;
  readonly body: string;
  readonly expected: { readonly class: string; readonly code?: string; readonly params?: object };
}

const classes: Readonly<Record<string, string>> = {
  contention: "UNAVAILABLE",
  unavailable: "UNAVAILABLE",
  drift: "INTERNAL",
  bug: "INTERNAL",
};

test("every recorded body has the meaning that the server's own client gives it", async () => {
  let count = 0;
  for (const file of ["gateway", "postgrest", "supabase-lite", "hidden"]) {
    const text = readFileSync(new URL(`../../tests/contract/${file}.json`, import.meta.url), "utf8");
    for (const { rule, status, body, expected } of (JSON.parse(text) as { cases: Case[] }).cases) {
      const error: unknown = await answering(status, body).call("charge", charge).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof MpsError, rule);
      assert.equal(error.code, expected.code ?? classes[expected.class], `${rule}: ${body}`);
      assert.deepEqual(error.params, expected.params ?? {}, rule);
      assert.match(error.idempotencyKey ?? "", /^[0-9a-f-]{36}$/, rule);
      count += 1;
    }
  }
  assert.ok(count >= 85, `${count} recordings`);
});

test("a request without an answer leaves the outcome unknown, whatever it ended of, and the key with the error", async () => {
  const failed = Object.assign(new TypeError("fetch failed"), { cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) });
  const ends = [failed, new DOMException("too late", "TimeoutError"), new DOMException("aborted", "AbortError"), Object.assign(new Error("late"), { code: "23" }), Object.assign(new Error("closed"), { code: "PT402" })];
  for (const end of ends) {
    // What a program's own `global.fetch` with a time limit does.
    const fetch = (): Promise<Response> => Promise.reject(end);
    const supabase = createClient("http://127.0.0.1:9", "sb_publishable_x", { global: { fetch }, auth: { persistSession: false } });
    const error: unknown = await mpsRpc(supabase).call("charge", charge, { idempotencyKey: "k-2" }).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof Unavailable, String(end));
    assert.deepEqual([error.code, error.retry, error.idempotencyKey], ["UNAVAILABLE", "same_key", "k-2"], String(end));
    for (const [name, input, retry] of [["listCards", {}, "same_key"], ["enrollDevice", { card_id: "c", label: "phone" }, "check_first"]] as const) {
      await assert.rejects(mpsRpc(supabase).call(name, input), { name: "Unavailable", retry }, String(end));
    }
  }
});

test("a body that breaks off leaves the outcome unknown", async () => {
  const body = (): ReadableStream => new ReadableStream({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode('[{"tx_id":'));
      controller.error(new TypeError("terminated"));
    },
  });
  const fetch = (): Promise<Response> => Promise.resolve(new Response(body(), { status: 200 }));
  const supabase = createClient("http://127.0.0.1:9", "sb_publishable_x", { global: { fetch }, auth: { persistSession: false } });
  await assert.rejects(mpsRpc(supabase).call("charge", charge, { idempotencyKey: "k-4" }), { name: "Unavailable", idempotencyKey: "k-4" });
});

once("the two ends of what is supported are what package.json and the README say", () => {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    readonly peerDependencies: Record<string, string>;
    readonly devDependencies: Record<string, string>;
  };
  assert.equal(manifest.devDependencies["supabase-js-oldest"], "npm:@supabase/supabase-js@2.45.0");
  assert.equal(manifest.peerDependencies["@supabase/supabase-js"], "^2.45.0");
  assert.match(readFileSync(new URL("../README.md", import.meta.url), "utf8"), /supabase-js 2\.45/);
});

test("a key that is given may have been sent before: its refusal comes with the key cancelled, or is none", async () => {
  const refusal = JSON.stringify({ code: "PT402", message: "INSUFFICIENT_BALANCE", details: "{}", hint: null });
  const told = { tx_id: null, tx_no: null, tx_type: null, final_amount: null, created_at: null };
  const scenes: readonly (readonly [answers: readonly (readonly [number, string])[], end: object])[] = [
    [[[402, refusal], [200, JSON.stringify([{ ...told, cancelled: true }])]], { code: "INSUFFICIENT_BALANCE", keyCancelled: true }],
    [[[402, refusal], [402, refusal]], { code: "UNAVAILABLE", keyCancelled: false }],
    [[[402, refusal], [200, JSON.stringify([{ ...told, cancelled: false }])], [200, JSON.stringify([{ ...row, replayed: true }])]], { tx_no: row.tx_no }],
  ];
  for (const [answers, end] of scenes) {
    const paths: string[] = [];
    const left = [...answers];
    const fetch = (input: string | URL | Request): Promise<Response> => {
      paths.push(new URL(input instanceof Request ? input.url : input).pathname.split("/").at(-1) ?? "");
      const [status, body] = left.shift() ?? [500, ""];
      return Promise.resolve(new Response(body, { status }));
    };
    const mps = mpsRpc(createClient("http://127.0.0.1:9", "sb_publishable_x", { global: { fetch }, auth: { persistSession: false, autoRefreshToken: false } }));
    const outcome = await mps.call("charge", charge, { idempotencyKey: "k-1" }).catch((error: unknown) => error);
    assert.deepEqual(Object.fromEntries(Object.keys(end).map((name) => [name, (outcome as Record<string, unknown>)[name]])), end);
    assert.deepEqual(paths.slice(0, 2), ["merchant_charge_by_qr", "cancel_request"]);
    assert.equal(left.length, 0);
  }
});

test("a signal ends a call with its own reason", async () => {
  const reason = new Error("changed my mind");
  await assert.rejects(answering(200, "[]").call("listCards", {}, { signal: AbortSignal.abort(reason) }), reason);
});

test("a signal ends a call even where the client does not listen to it", async () => {
  const reason = new Error("changed my mind");
  const abort = new AbortController();
  const never = { then: () => undefined };
  for (const call of [never, { ...never, abortSignal: () => never }] as unknown as RpcCall[]) {
    const listing = mpsRpc({ rpc: () => call }).call("listCards", {}, { signal: abort.signal });
    setImmediate(() => abort.abort(reason));
    await assert.rejects(listing, reason);
  }
});

test("what JSON would write as null, or a key that protects nothing, is refused and not sent", async () => {
  const sent: Sent[] = [];
  const rpc = answering(200, "true", sent);
  const { card_id } = row;
  const malformed = (field: string) => ({ code: "MALFORMED_ARGUMENT", params: { field } });
  await assert.rejects(rpc.call("setCardExpiry", { card_id, expires_at: new Date(NaN) } as never), malformed("expires_at"));
  await assert.rejects(rpc.call("freezeCard", { card_id }, { idempotencyKey: "k" }), malformed("idempotencyKey"));
  assert.deepEqual(sent, []);
});
