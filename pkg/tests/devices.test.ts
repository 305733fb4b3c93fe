// Devices through the client: enrolled, refused, revoked; and what every answer says of this device's clock.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { OfflineWallet, init } from "@mps/sdk";
import { type ClockReading, type KeyValueStorage, MpsClient, type MpsClientOptions, keepClock, memoryStorage } from "@mps/sdk/client";

const CARD = "0199d3c4-0000-7000-8000-000000000001";
const ENROLLED = { handle: "4242424242", device_key: "880b6db2c7db538de0d839c08a333146ca16b339d24bc6be75a686ff115d489d" };

before(() => init());

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

function client(answers: Response[], sent: Sent[] = [], options: Partial<MpsClientOptions> = {}): MpsClient {
  const fetch = (address: unknown, request?: RequestInit): Promise<Response> => {
    const { pathname, search } = new URL(String(address));
    const body: unknown = typeof request?.body === "string" ? JSON.parse(request.body) : undefined;
    sent.push({ method: request?.method ?? "", path: pathname + search, body });
    const answer = answers.shift();
    return answer === undefined ? Promise.reject(new TypeError("offline")) : Promise.resolve(answer);
  };
  return new MpsClient({ baseUrl: "http://127.0.0.1:9", accessToken: () => "t", retriesMax: 0, fetch, ...options });
}

const problem = (code: string, status: number, params: object = {}): Response =>
  Response.json({ code, status, retry: "after_fix", params }, { status });

test("a phone is enrolled, makes codes without a network, is listed and revoked", async () => {
  const sent: Sent[] = [];
  const listed = [{ handle: ENROLLED.handle, label: "phone", member_id: CARD, enrolled_at: "2026-11-26T00:00:00Z" }];
  const mps = client([Response.json(ENROLLED), Response.json(listed), Response.json({ changed: true })], sent);
  const storage = memoryStorage();
  const enrolled = await mps.call("enrollDevice", { card_id: CARD, label: "phone" });
  const wallet = await OfflineWallet.keep(storage, { card_id: CARD, ...enrolled });
  // A vector of spec/vectors/payment-code.json.
  assert.equal((await wallet.code(1_795_385_178_000)).code, "714242424242537077061906");
  assert.equal((await wallet.code(1_795_385_178_000, "K7Q2ZD")).code, "724242424242709359466017");
  assert.equal(sent.length, 1, "making codes asks nobody");
  assert.deepEqual(await mps.call("listDevices", { card_id: CARD }), listed);
  assert.deepEqual(await mps.call("revokeDevice", { handle: wallet.handle }), { changed: true });
  assert.deepEqual(sent, [
    { method: "POST", path: "/api/devices", body: { card_id: CARD, label: "phone" } },
    { method: "GET", path: `/api/devices?card_id=${CARD}`, body: undefined },
    { method: "DELETE", path: "/api/devices/4242424242", body: undefined },
  ]);
});

test("an enrolment that is refused or lost is said as such and not sent again", async () => {
  const sent: Sent[] = [];
  const refused = client([problem("DEVICE_LIMIT_REACHED", 409, { limit: 5 })], sent, { retriesMax: 3, retryDelayMs: 1 });
  const request = { card_id: CARD, label: "phone" };
  await assert.rejects(refused.call("enrollDevice", request), { name: "Refused", code: "DEVICE_LIMIT_REACHED", params: { limit: 5 } });
  await assert.rejects(refused.call("enrollDevice", request), { name: "Unavailable", code: "UNAVAILABLE" });
  assert.equal(sent.length, 2, "each once: a second device might be made");
});

test("a code of a revoked phone is refused at the till as any dead code is, and revoking a stranger's phone finds none", async () => {
  const wallet = await OfflineWallet.keep(memoryStorage(), { card_id: CARD, ...ENROLLED });
  const { code } = await wallet.code();
  const till = client([problem("QR_EXPIRED_OR_INVALID", 409), problem("DEVICE_NOT_FOUND", 404)]);
  const charge = { merchant_code: "SHOP001", qr_plain: code, raw_amount: "1.00" };
  await assert.rejects(till.charge(charge), { name: "Refused", code: "QR_EXPIRED_OR_INVALID", status: 409 });
  await assert.rejects(till.call("revokeDevice", { handle: "0000000000" }), { name: "Refused", code: "DEVICE_NOT_FOUND" });
});

test("every answer that tells the server's time is reported with its uncertainty, refusals too", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_795_385_178_000 });
  const readings: ClockReading[] = [];
  const dated = (date: string): Response => Response.json([], { headers: { Date: date } });
  const refused = problem("DEVICE_NOT_FOUND", 404);
  refused.headers.set("Date", "Mon, 23 Nov 2026 00:06:18 GMT");
  const answers = [dated("Sun, 22 Nov 2026 22:07:18 GMT"), dated("yesterday"), Response.json([]), refused];
  const mps = client(answers, [], { onServerTime: (reading) => readings.push(reading) });
  await mps.cards();
  await mps.cards();
  await mps.cards();
  await assert.rejects(mps.cards());
  assert.deepEqual(readings, [
    { skewMs: 60_500, uncertaintyMs: 500, measuredAt: 1_795_385_178_000 },
    { skewMs: 7_200_500, uncertaintyMs: 500, measuredAt: 1_795_385_178_000 },
  ]);
});

test("an answer that took long says less", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_795_385_178_000 });
  const readings: ClockReading[] = [];
  const fetch = (): Promise<Response> => {
    t.mock.timers.setTime(1_795_385_182_000);
    return Promise.resolve(Response.json([], { headers: { Date: "Sun, 22 Nov 2026 22:06:20 GMT" } }));
  };
  await client([], [], { fetch, onServerTime: (reading) => readings.push(reading) }).cards();
  assert.deepEqual(readings, [{ skewMs: 500, uncertaintyMs: 2500, measuredAt: 1_795_385_182_000 }]);
});

test("a clock that was set back between question and answer measures nothing", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_795_385_178_000 });
  const readings: ClockReading[] = [];
  const fetch = (): Promise<Response> => {
    t.mock.timers.setTime(1_795_385_170_000);
    return Promise.resolve(Response.json([], { headers: { Date: "Sun, 22 Nov 2026 22:06:20 GMT" } }));
  };
  await client([], [], { fetch, onServerTime: (reading) => readings.push(reading) }).cards();
  assert.deepEqual(readings, []);
});

test("the readings of a client correct the wallets of the same storage", async (t) => {
  const serverNow = 1_795_385_178_000;
  t.mock.timers.enable({ apis: ["Date"], now: serverNow - 3_603_000 });
  const storage: KeyValueStorage = memoryStorage();
  const kept: Promise<void>[] = [];
  const answer = (seconds: number): Response => Response.json([], { headers: { Date: new Date(serverNow + seconds * 1000).toUTCString() } });
  const mps = client([answer(-3), answer(0)], [], { onServerTime: (reading) => kept.push(keepClock(storage, reading)) });
  await mps.cards();
  await Promise.all(kept);
  t.mock.timers.setTime(serverNow - 3_600_000);
  await mps.cards();
  await Promise.all(kept);
  const wallet = await OfflineWallet.keep(storage, { card_id: CARD, ...ENROLLED });
  assert.equal((await wallet.code()).code, "714242424242537077061906", "the code of the server's step");
});

test("an answer that lay in a cache tells no time", async (t) => {
  const now = 1_795_385_178_000;
  t.mock.timers.enable({ apis: ["Date"], now });
  const readings: ClockReading[] = [];
  const aged = (age: string): Response => Response.json([], { headers: { Date: new Date(now - 7_200_000).toUTCString(), Age: age } });
  const mps = client([aged("7200"), aged("1"), aged("old"), aged("0")], [], { onServerTime: (reading) => readings.push(reading) });
  for (let time = 0; time < 4; time += 1) await mps.cards();
  assert.deepEqual(readings.map(({ skewMs }) => skewMs), [-7_199_500], "the last one came right from the server");
});
