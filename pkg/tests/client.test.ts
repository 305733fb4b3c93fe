// The client against a server of this test: what it sends, what it makes of answers, when it sends again.

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { type IncomingHttpHeaders, type RequestListener, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { MpsClient, type MpsClientOptions, MpsError, type Routes, Unavailable } from "@mps/sdk/client";

import { routes } from "../src/generated/routes.ts";
import { charged, sampleAnswer, sampleAnswerTo } from "./sample_answers.ts";

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Reply {
  readonly status?: number;
  readonly body?: unknown;
  /** In place of JSON; with neither it is the route's own answer. */
  readonly text?: string;
  readonly headers?: Record<string, string>;
}

/** A reply, a connection that breaks, or none at all. */
type Answer = Reply | "cut" | "silence";

/** Answers one after the other, the last one for ever, and hands the client and what was seen to the test. */
async function withServer(
  answers: readonly Answer[],
  use: (client: MpsClient, seen: Seen[]) => Promise<void>,
  options: Partial<MpsClientOptions> = {},
): Promise<void> {
  const seen: Seen[] = [];
  const listener: RequestListener = (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
      const answer = answers[Math.min(seen.length, answers.length) - 1] ?? {};
      if (answer === "cut") response.destroy();
      else if (answer !== "silence") {
        response.writeHead(answer.status ?? 200, { "Content-Type": "application/json", ...answer.headers });
        response.end(answer.text ?? JSON.stringify(answer.body ?? sampleAnswerTo(request.method ?? "", request.url ?? "")));
      }
    });
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    await use(new MpsClient({ baseUrl, accessToken: () => "token-of-ming", retryDelayMs: 1, ...options }), seen);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function problem(status: number, code: string, more: object = {}): Answer {
  const body = { type: "about:blank", title: code, status, code, retry: "after_fix", params: {}, instance: "req-1", ...more };
  return { status, body, headers: { "Content-Type": "application/problem+json" } };
}

const CHARGE = { merchant_code: "SHOP001", qr_plain: "701234567890123456789017", raw_amount: "299.00" };
const BUSY = problem(503, "UNAVAILABLE", { retry: "same_key" });

test("every method calls its route", async () => {
  await withServer([{}], async (client, seen) => {
    await client.me();
    await client.register({ name: "Ming", phone: "+886900000001" });
    await client.cards();
    await client.rotateCode({ card_id: "c1", ttl_seconds: 60 });
    await client.revokeCode("c1");
    await client.validateCode({ qr_plain: CHARGE.qr_plain });
    await client.quotePayment(CHARGE);
    await client.charge(CHARGE);
    await client.payment("PAY0000000001/../x");
    assert.deepEqual(seen.map((request) => [request.method, request.url, request.body]), [
      ["GET", "/api/member/me", ""],
      ["POST", "/api/member/register", '{"name":"Ming","phone":"+886900000001"}'],
      ["GET", "/api/member/cards", ""],
      ["POST", "/api/qr/rotate", '{"card_id":"c1","ttl_seconds":60}'],
      ["POST", "/api/qr/revoke", '{"card_id":"c1"}'],
      ["POST", "/api/qr/validate", '{"qr_plain":"701234567890123456789017"}'],
      ["POST", "/api/payment/quote", JSON.stringify(CHARGE)],
      ["POST", "/api/payment/charge", JSON.stringify(CHARGE)],
      ["GET", "/api/payment/PAY0000000001%2F..%2Fx", ""],
    ]);
    assert.ok(seen.every((request) => request.headers.authorization === "Bearer token-of-ming"));
    assert.deepEqual(seen.map((request) => request.headers["idempotency-key"] !== undefined), [
      false, false, false, false, false, false, false, true, false,
    ]);
  });
});

test("nobody signed in sends no token", async () => {
  const accessToken = (): null => null;
  await withServer([{}], async (client, seen) => {
    await client.me();
    assert.equal(seen[0]?.headers.authorization, undefined);
  }, { accessToken });
});

test("a refusal is thrown with all that the problem says", async () => {
  const refused = problem(409, "EXTERNAL_ORDER_ALREADY_PAID", { retry: "never", params: { tx_no: "PAY0000000009" } });
  await withServer([refused], async (client, seen) => {
    await assert.rejects(client.charge(CHARGE), (error: MpsError) => {
      assert.deepEqual([error.name, error.code, error.status, error.retry], ["Refused", "EXTERNAL_ORDER_ALREADY_PAID", 409, "never"]);
      assert.deepEqual([error.params, error.requestId, error.idempotencyKey], [{ tx_no: "PAY0000000009" }, "req-1", seen[0]?.headers["idempotency-key"]]);
      return true;
    });
    assert.equal(seen.length, 1, "a refusal is not asked twice");
  });
});

test("a missing session is Unauthenticated, a code of the future keeps its status", async () => {
  await withServer([problem(401, "NOT_AUTHENTICATED"), problem(418, "TEAPOT")], async (client) => {
    await assert.rejects(client.me(), { name: "Unauthenticated", code: "NOT_AUTHENTICATED" });
    await assert.rejects(client.me(), { name: "Refused", code: "TEAPOT", status: 418 });
  });
});

test("a charge with an unknown outcome is sent again with the same key", async () => {
  for (const first of [BUSY, "cut", problem(500, "INTERNAL", { retry: "same_key" }), { status: 504, body: "gateway" }] as const) {
    await withServer([first, { body: charged({ tx_no: "PAY0000000001" }) }], async (client, seen) => {
      assert.equal((await client.charge(CHARGE)).tx_no, "PAY0000000001");
      const keys = seen.map((request) => request.headers["idempotency-key"]);
      assert.equal(keys.length, 2);
      assert.match(keys[0]?.toString() ?? "", /^[0-9a-f-]{36}$/);
      assert.equal(keys[0], keys[1]);
    });
  }
});

test("a key with a comma goes in quotes, where it is one key and not two", async () => {
  await withServer([{ body: charged() }], async (client, seen) => {
    for (const idempotencyKey of ["a, b", 'a"\\,b', "plain", '"a, b"']) await client.charge(CHARGE, { idempotencyKey });
    assert.deepEqual(
      seen.map(({ headers }) => headers["idempotency-key"]),
      ['"a, b"', '"a\\"\\\\,b"', "plain", '"a, b"'],
    );
  });
});

test("an answer that is cut short has an unknown outcome", async () => {
  await withServer([{ text: '{"tx_no":"PAY00' }, { body: charged({ tx_no: "PAY0000000001" }) }], async (client, seen) => {
    assert.equal((await client.charge(CHARGE)).tx_no, "PAY0000000001");
    assert.equal(seen.length, 2);
  });
});

test("an answer of another shape has an unknown outcome: it is asked for again with the same key, and is nobody's charge", async () => {
  const without = charged({ final_amount: undefined });
  const wrong = [null, {}, [], "paid", true, [charged()], without, charged({ final_amount: 1e20 }), charged({ final_amount: "1,00" }), charged({ replayed: "no" }), charged({ tx_no: null }), charged({ points_earned: 0.5 })];
  for (const body of wrong) {
    const text = JSON.stringify(body);
    await withServer([{ text }, { text }, {}], async (client, seen) => {
      const error: unknown = await client.charge(CHARGE, { idempotencyKey: "k-1" }).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof Unavailable && error.retry === "same_key" && error.idempotencyKey === "k-1", text);
      assert.deepEqual(await client.charge(CHARGE, { idempotencyKey: "k-1" }), charged(), text);
      assert.deepEqual(seen.map(({ headers }) => headers["idempotency-key"]), ["k-1", "k-1", "k-1"]);
    }, { retriesMax: 1 });
  }
});

test("every route's answer is parsed: one without its fields, or of another kind, is none", async () => {
  for (const [name, [, template, , shape]] of Object.entries(routes)) {
    const input = Object.fromEntries([...template.matchAll(/\{(\w+)\}/g)].map(([, field = ""]) => [field, "x"]));
    const [whole, isList] = [sampleAnswer(shape), shape.endsWith("[]")];
    for (const body of [null, isList ? {} : [], isList ? [{}] : {}, isList ? [null] : "x"]) {
      const fetch = (): Promise<Response> => Promise.resolve(Response.json(body));
      const client = new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", retriesMax: 0, fetch });
      await assert.rejects(client.call(name as keyof Routes, input), { name: "Unavailable" }, `${name}: ${JSON.stringify(body)}`);
    }
    const fetch = (): Promise<Response> => Promise.resolve(Response.json(whole));
    const client = new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", retriesMax: 0, fetch });
    assert.deepEqual(await client.call(name as keyof Routes, input as never), whole, name);
  }
});

test("what a newer server adds stays, and what may be null and an older one leaves out is null", async () => {
  const card = sampleAnswer("MemberCard") as Record<string, unknown>;
  await withServer([{ body: [{ ...card, name: undefined, colour: "red" }] }], async (client) => {
    assert.deepEqual(await client.cards(), [{ ...card, name: null, colour: "red" }]);
  });
});

test("a proxy's answer that is no problem document counts by its status", async () => {
  const outcomes = [
    [429, "Unavailable", "UNAVAILABLE", 2],
    [502, "Unavailable", "UNAVAILABLE", 2],
    [503, "Unavailable", "UNAVAILABLE", 2],
    [504, "Unavailable", "UNAVAILABLE", 2],
    [500, "Unavailable", "UNAVAILABLE", 2],
    [520, "Unavailable", "UNAVAILABLE", 2],
    [408, "Unavailable", "UNAVAILABLE", 2],
    [425, "Unavailable", "UNAVAILABLE", 2],
    [404, "Unexpected", "INTERNAL", 1],
    [403, "Unexpected", "INTERNAL", 1],
  ] as const;
  for (const [status, name, code, attempts] of outcomes) {
    await withServer([{ status, text: "<html>", headers: { "X-Request-Id": "req-2" } }], async (client, seen) => {
      await assert.rejects(client.me(), { name, code, requestId: "req-2" }, String(status));
      assert.equal(seen.length, attempts, String(status));
    }, { retriesMax: 1 });
  }
});

const cancelled = { body: { cancelled: true } };
const doneAlready = { body: { cancelled: false, tx_no: "PAY0000000001" } };

test("after an attempt that was lost a refusal is handed on once its key is cancelled", async () => {
  await withServer(["cut", problem(402, "INSUFFICIENT_BALANCE"), cancelled], async (client, seen) => {
    const error = await client.charge(CHARGE).catch((reason: unknown) => reason as MpsError);
    const key = seen[0]?.headers["idempotency-key"];
    assert.ok(error instanceof MpsError);
    assert.deepEqual([error.name, error.code, error.keyCancelled, error.requestId, error.idempotencyKey], ["Refused", "INSUFFICIENT_BALANCE", true, "req-1", key]);
    assert.deepEqual(seen.map(({ url }) => url), ["/api/payment/charge", "/api/payment/charge", "/api/payment/cancel"]);
    assert.deepEqual(JSON.parse(seen[2]?.body ?? ""), { merchant_code: "SHOP001", idempotency_key: key });
  });
});

test("what was done after all is answered, though a later attempt was refused", async () => {
  await withServer(["cut", problem(402, "INSUFFICIENT_BALANCE"), doneAlready, { body: charged({ tx_no: "PAY0000000001" }) }], async (client, seen) => {
    assert.equal((await client.charge(CHARGE)).tx_no, "PAY0000000001");
    assert.equal(seen.length, 4);
  });
});

test("where the key cannot be cancelled, or its answer not be had, the outcome stays unknown", async () => {
  const refusal = problem(403, "NOT_MERCHANT_USER");
  for (const answers of [["cut", refusal, refusal], ["cut", { status: 403, text: "<html>" }, BUSY], ["cut", refusal, doneAlready, refusal], ["cut", refusal, { body: {} }]] as const) {
    await withServer(answers, async (client, seen) => {
      await assert.rejects(client.charge(CHARGE), (error: MpsError) => error.name === "Unavailable" && error.retry === "same_key" && error.idempotencyKey === seen[0]?.headers["idempotency-key"]);
    });
  }
});

test("a refusal that says that its key is cancelled, or another request's, is final", async () => {
  for (const [refusal, isCancelled] of [[problem(402, "INSUFFICIENT_BALANCE", { key_cancelled: true }), true], [problem(409, "REQUEST_CANCELLED"), true], [problem(422, "IDEMPOTENCY_KEY_REUSED"), false]] as const) {
    await withServer(["cut", refusal], async (client, seen) => {
      await assert.rejects(client.charge(CHARGE), { name: "Refused", keyCancelled: isCancelled });
      assert.equal(seen.length, 2);
    });
  }
});

test("who must sign in after an attempt that was lost sends it again with the same key", async () => {
  await withServer(["cut", problem(401, "NOT_AUTHENTICATED")], async (client, seen) => {
    await assert.rejects(client.charge(CHARGE), (error: MpsError) =>
      error.name === "Unauthenticated" && error.retry === "same_key" && error.idempotencyKey === seen[0]?.headers["idempotency-key"]);
    assert.equal(seen.length, 2);
  });
});

test("a key that the caller brings may have been sent before: its refusal comes with the key cancelled", async () => {
  await withServer([problem(402, "INSUFFICIENT_BALANCE"), cancelled], async (client, seen) => {
    await assert.rejects(client.charge(CHARGE, { idempotencyKey: "k" }), { code: "INSUFFICIENT_BALANCE", keyCancelled: true });
    assert.equal(seen.length, 2);
  });
});

test("a first refusal, and one of a read after an attempt that was lost, cancels nothing", async () => {
  await withServer([problem(402, "INSUFFICIENT_BALANCE")], async (client, seen) => {
    await assert.rejects(client.charge(CHARGE), { code: "INSUFFICIENT_BALANCE", keyCancelled: false });
    assert.equal(seen.length, 1);
  });
  await withServer(["cut", problem(404, "TX_NOT_FOUND")], async (client, seen) => {
    await assert.rejects(client.payment("PAY0000000001"), { code: "TX_NOT_FOUND" });
    assert.equal(seen.length, 2);
  });
});

test("a caller who aborts while the key is cancelled gets the own reason", async () => {
  const abort = new AbortController();
  await withServer(["cut", problem(402, "INSUFFICIENT_BALANCE"), "silence"], async (client, seen) => {
    const call = client.charge(CHARGE, { signal: abort.signal });
    while (seen.length < 3) await new Promise(setImmediate);
    abort.abort(new Error("enough"));
    await assert.rejects(call, { message: "enough" });
  });
});

test("three retries are all, and the error hands the key back", async () => {
  await withServer([BUSY], async (client, seen) => {
    const error: unknown = await client.charge(CHARGE).catch((reason: unknown) => reason);
    assert.ok(error instanceof MpsError && error.name === "Unavailable");
    assert.equal(seen.length, 4);
    assert.equal(error.idempotencyKey, seen[0]?.headers["idempotency-key"]);
  }, { retriesMax: 9 });
});

test("a write without a key is never sent again, a read is", async () => {
  for (const first of [BUSY, "cut"] as const) {
    await withServer([first, {}], async (client, seen) => {
      await assert.rejects(client.rotateCode({ card_id: "c1" }), { name: "Unavailable", code: "UNAVAILABLE", retry: "check_first" });
      assert.equal(seen.length, 1);
    });
    await withServer([first, {}], async (client, seen) => {
      await client.cards();
      assert.equal(seen.length, 2);
    });
  }
});

test("too many requests are not sent again by themselves", async () => {
  const limited = problem(429, "RATE_LIMITED", { params: { retry_after_seconds: 7 } });
  await withServer([limited], async (client, seen) => {
    await assert.rejects(client.me(), { name: "Unavailable", code: "RATE_LIMITED", params: { retry_after_seconds: 7 } });
    assert.equal(seen.length, 1);
  });
});

test("an attempt that takes too long is Unavailable", async () => {
  await withServer(["silence"], async (client, seen) => {
    // Long enough for a busy machine to take the request before it is given up.
    await assert.rejects(client.charge(CHARGE, { timeoutMs: 1000 }), { name: "Unavailable", code: "UNAVAILABLE" });
    assert.equal(seen.length, 2);
  }, { retriesMax: 1 });
});

test("a caller who aborts gets the own reason at once, and nothing is sent again", { timeout: 10_000 }, async () => {
  await withServer(["silence"], async (client, seen) => {
    const abort = new AbortController();
    const charge = client.charge(CHARGE, { signal: abort.signal, timeoutMs: 3_600_000 });
    const reason = new Error("the customer left");
    while (seen.length === 0) await new Promise(setImmediate);
    abort.abort(reason);
    await assert.rejects(charge, reason);
    await assert.rejects(client.me({ signal: abort.signal }), reason);
    assert.equal(seen.length, 1);
  });
});

test("an abort ends the wait before a retry", async () => {
  await withServer([BUSY], async (client, seen) => {
    const abort = new AbortController();
    const charge = client.charge(CHARGE, { signal: abort.signal });
    const reason = new Error("the customer left");
    while (seen.length === 0) await new Promise(setImmediate);
    setTimeout(() => { abort.abort(reason); }, 20);
    await assert.rejects(charge, reason);
  }, { retryDelayMs: 1e9 });
});

test("a route is called by its name, with its path, its query, its body and its key where they belong", async () => {
  await withServer([{}], async (client, seen) => {
    await client.call("bindCard", { card_id: "a/b", member_id: "m", role: "member", binding_password: undefined });
    await client.call("listPoints", { card_id: "c", limit: 5, offset: undefined });
    await client.call("adjustCard", { card_id: "c", amount: "-5.00", reason: "by hand" }, { idempotencyKey: "k-1" });
    await client.call("adjustCard", { card_id: "c", amount: "1.00", reason: "by hand" });
    await client.call("setCardPassword", { card_id: "c", password: null });
    await client.call("getMe", {});
    assert.deepEqual(
      seen.map(({ method, url, body }) => `${method} ${url} ${body}`),
      [
        `PUT /api/member/cards/a%2Fb/bindings/m {"role":"member"}`,
        "GET /api/member/cards/c/points?limit=5 ",
        `POST /api/admin/cards/c/adjust {"amount":"-5.00","reason":"by hand"}`,
        `POST /api/admin/cards/c/adjust {"amount":"1.00","reason":"by hand"}`,
        `PUT /api/member/cards/c/password {"password":null}`,
        "GET /api/member/me ",
      ],
    );
    assert.deepEqual([seen[0]?.headers["idempotency-key"], seen[2]?.headers["idempotency-key"]], [undefined, "k-1"]);
    assert.match(String(seen[3]?.headers["idempotency-key"]), /^[0-9a-f-]{36}$/);
  });
});

test("a route is asked again only when that does its work once", async () => {
  for (const [name, input, times] of [
    ["getCard", { card_id: "c" }, 2],
    ["adjustCard", { card_id: "c", amount: "1.00", reason: "r" }, 2],
    ["freezeCard", { card_id: "c" }, 1],
    ["enrollDevice", { card_id: "c", label: "phone" }, 1],
  ] as const) {
    await withServer([problem(503, "UNAVAILABLE", { retry: "same_key" }), {}], async (client, seen) => {
      await client.call(name, input as never).catch((error: unknown) => assert.ok(error instanceof MpsError));
      assert.equal(seen.length, times, name);
      assert.equal(new Set(seen.map(({ headers }) => headers["idempotency-key"])).size, 1);
    });
  }
});

test("a name in a path that would lead to another route is refused and nothing is sent", async () => {
  await withServer([{}], async (client, seen) => {
    for (const card_id of ["", ".", "..", "\ud800", undefined, null, {}, Symbol("c")]) {
      const refused = { name: "Refused", code: "MALFORMED_ARGUMENT", params: { field: "card_id" } };
      await assert.rejects(client.call("freezeCard", { card_id } as never), refused);
    }
    await assert.rejects(client.call("constructor" as never, {} as never), { code: "MALFORMED_ARGUMENT", params: { field: "name" } });
    assert.equal(seen.length, 0);
  });
});

test("a key or a token that no header can hold is refused and nothing is sent", async () => {
  await withServer([{}], async (client, seen) => {
    for (const idempotencyKey of ["", " k", "k ", "ké", "a\nb", "k".repeat(256)]) {
      await assert.rejects(client.charge(CHARGE, { idempotencyKey }), { name: "Refused", code: "IDEMPOTENCY_KEY_INVALID" });
    }
    assert.equal(seen.length, 0);
  });
  for (const token of ["", "two words", "t\r\nX-Admin: 1", "鍵", {}, undefined]) {
    await withServer([{}], async (client, seen) => {
      await assert.rejects(client.me(), { name: "Unauthenticated", code: "NOT_AUTHENTICATED" });
      assert.equal(seen.length, 0);
    }, { accessToken: () => token as string });
  }
});

test("a token that does not come is Unavailable: with its reason, or when the time is over", async () => {
  const reason = new Error("the session cannot be renewed");
  await withServer([{}], async (client, seen) => {
    await assert.rejects(client.me(), { name: "Unavailable", code: "UNAVAILABLE", cause: reason });
    assert.equal(seen.length, 0);
  }, { accessToken: () => Promise.reject(reason), retriesMax: 0 });
  await withServer([{}], async (client) => {
    await assert.rejects(client.me({ timeoutMs: 20 }), { name: "Unavailable", code: "UNAVAILABLE" });
  }, { accessToken: () => new Promise(() => undefined), retriesMax: 0 });
});

test("what is not as documented is refused with its name, before anything is sent", async () => {
  const options: MpsClientOptions = { baseUrl: "http://127.0.0.1:9", accessToken: () => null };
  for (const [field, value] of [["baseUrl", 1], ["baseUrl", "pay.example.com"], ["baseUrl", "//pay.example.com"], ["baseUrl", "ftp://pay.example.com"], ["baseUrl", ""], ["accessToken", "t"], ["fetch", 1], ["timeoutMs", NaN], ["timeoutMs", -1], ["retriesMax", -1], ["retryDelayMs", "1"], ["storage", {}]] as const) {
    assert.throws(() => new MpsClient({ ...options, [field]: value }), { code: "MALFORMED_ARGUMENT", params: { field } });
  }
  await withServer([{}], async (client, seen) => {
    await assert.rejects(client.me({ timeoutMs: Infinity }), { code: "MALFORMED_ARGUMENT", params: { field: "timeoutMs" } });
    await assert.rejects(client.me({ signal: {} as AbortSignal }), { code: "MALFORMED_ARGUMENT", params: { field: "signal" } });
    const cyclic: Record<string, unknown> = { ...CHARGE };
    cyclic["tag"] = cyclic;
    await assert.rejects(client.charge(cyclic as never), { code: "MALFORMED_ARGUMENT", params: { field: "tag" } });
    assert.equal(seen.length, 0);
  });
});

test("what JSON would write as null is refused, since null takes a value away", async () => {
  await withServer([{}], async (client, seen) => {
    for (const [name, input, field] of [
      ["setCardExpiry", { card_id: "c", expires_at: new Date(NaN) }, "expires_at"],
      ["setCardPassword", { card_id: "c", password: NaN }, "password"],
      ["rotateCode", { card_id: "c", ttl_seconds: Infinity }, "ttl_seconds"],
      ["charge", { ...CHARGE, tag: { weights: [1, NaN] } }, "tag"],
    ] as const) {
      await assert.rejects(client.call(name, input as never), { name: "Refused", code: "MALFORMED_ARGUMENT", params: { field } });
    }
    assert.equal(seen.length, 0);
    const expires_at = new Date("2027-01-01T00:00:00Z");
    await client.call("setCardExpiry", { card_id: "c", expires_at } as never);
    assert.equal(seen[0]?.body, '{"expires_at":"2027-01-01T00:00:00.000Z"}');
  });
});

test("a key or an intent for a call that takes none is refused: nobody is to believe that it protects him", async () => {
  await withServer([{}], async (client, seen) => {
    for (const field of ["idempotencyKey", "intent"]) {
      const call = client.call("freezeCard", { card_id: "c" }, { [field]: "k-1" });
      await assert.rejects(call, { code: "MALFORMED_ARGUMENT", params: { field } });
    }
    assert.equal(seen.length, 0);
  });
});

test("a runtime without random bytes says so, and no key is made up", async () => {
  await withServer([{}], async (client, seen) => {
    const former = Object.getOwnPropertyDescriptor(globalThis, "crypto") ?? {};
    Reflect.deleteProperty(globalThis, "crypto");
    try {
      for (const options of [{}, { intent: "order-1" }]) {
        await assert.rejects(client.charge(CHARGE, options), { code: "NOT_CONFIGURED", params: { what: "crypto" } });
      }
    } finally {
      Object.defineProperty(globalThis, "crypto", former);
    }
    assert.equal(seen.length, 0);
  });
});

test("signals of old WebViews end a call too", async () => {
  const old = AbortSignal.abort();
  Object.defineProperties(old, { throwIfAborted: { value: undefined }, reason: { value: undefined } });
  await withServer([{}], async (client, seen) => {
    await assert.rejects(client.me({ signal: old }), { name: "AbortError" });
    assert.equal(seen.length, 0);
  });
});

test("a call leaves nothing behind on its signal", async () => {
  await withServer([BUSY, {}], async (client) => {
    const { signal } = new AbortController();
    for (let time = 0; time < 20; time += 1) await client.me({ signal });
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });
});
