// Codes made without a network: right by an independent derivation, steps, skew, tabs, and a key that shows nowhere.

import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { createHmac, randomBytes, randomInt, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { inspect } from "node:util";

import { MpsError, type OfflineCode, type Wait, OfflineWallet, init, limits, offlineCode, parsePaymentCode } from "@mps/sdk";
import { type KeyValueStorage, indexedDbStorage, keepClock, memoryStorage, webStorage } from "@mps/sdk/client";

import { withoutLocks } from "./locks.ts";
import { pageStorage } from "./page_storage.ts";

const STEP_MS = limits.code.otpStepSeconds * 1000;
/** A moment in the middle of a step. */
const NOON = 1_795_392_015_000;
const STEP = Math.floor(NOON / STEP_MS);

before(() => init());

function freshEnrolment(): { card_id: string; handle: string; device_key: string } {
  const handle = String(randomInt(10 ** 10)).padStart(10, "0");
  return { card_id: randomUUID(), handle, device_key: randomBytes(32).toString("hex") };
}

/** The one-time password as PAYMENT-CODE.md has it, by Node's own cryptography. */
function password(deviceKey: string, step: number, terminal = ""): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(step));
  const message = Buffer.concat([Buffer.from("mps/otp/v1\0"), bytes, Buffer.from(`\0${terminal}`)]);
  const mac = createHmac("sha256", Buffer.from(deviceKey, "hex")).update(message).digest();
  return String((mac.readBigUInt64BE() & 0x7fff_ffff_ffff_ffffn) % 10n ** 11n).padStart(11, "0");
}

/** Adds the digits from the right, every second one doubled; a right code's sum ends in 0. */
function isChecked(code: string): boolean {
  const weighed = [...code].reverse().map((digit, place) => (place % 2 === 0 ? Number(digit) : [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][Number(digit)] ?? NaN));
  return weighed.reduce((sum, digit) => sum + digit, 0) % 10 === 0;
}

/** A till's server: its clock, the steps already paid, and the rule of three steps. */
function server(enrolment: { handle: string; device_key: string }): (code: string, nowMs: number, terminal?: string) => boolean {
  const paid = new Set<number>();
  return (code, nowMs, terminal = "") => {
    assert.ok(isChecked(code) && code.slice(2, 12) === enrolment.handle && /^\d{24}$/.test(code), code);
    const step = Math.floor(nowMs / STEP_MS);
    const place = code.startsWith("72") ? terminal : "";
    const found = [step - 1, step, step + 1].filter((each) => each >= 0 && password(enrolment.device_key, each, place) === code.slice(12, 23));
    const [only] = found;
    if (only === undefined || paid.has(only)) return false;
    paid.add(only);
    return true;
  };
}

function shown(answer: OfflineCode | Wait): OfflineCode {
  assert.ok(answer.kind !== "wait", "a code was expected");
  return answer;
}

async function freshWallet(storage: KeyValueStorage = memoryStorage()): Promise<OfflineWallet> {
  return OfflineWallet.keep(storage, freshEnrolment());
}

test("every offline code of the vectors is made by the wallet", async () => {
  const text = readFileSync(new URL("../../spec/vectors/payment-code.json", import.meta.url), "utf8");
  const { offline } = JSON.parse(text) as { offline: Record<string, string>[] };
  assert.ok(offline.length > 5);
  for (const { id, handle = "", device_key = "", unix_seconds = "", terminal, step, code } of offline) {
    const place = terminal === "" ? undefined : terminal;
    assert.equal(offlineCode({ handle, device_key }, Number(unix_seconds), place), code, id);
    const wallet = await OfflineWallet.keep(memoryStorage(), { card_id: "c1", handle, device_key });
    const made = await wallet.code(Number(unix_seconds) * 1000, place);
    assert.deepEqual([made.code, String(made.step)], [code, step], id);
    assert.equal(made.kind, place === undefined ? "offline" : "offlineTerminal", id);
  }
});

test("every code of the wallet is accepted by an independent derivation, whatever phone, time and terminal", async () => {
  for (let round = 0; round < 2000; round += 1) {
    const enrolment = freshEnrolment();
    const accepts = server(enrolment);
    const wallet = await OfflineWallet.keep(memoryStorage(), enrolment);
    const now = round < 1000 ? NOON + randomInt(10 * 365 * 86_400) * 1000 : randomInt(2 ** 47);
    const terminal = randomInt(2) === 0 ? undefined : randomBytes(6).toString("hex").slice(0, 6).toUpperCase();
    const made = await wallet.code(now, terminal);
    const more = shown(await wallet.next(now, terminal));
    assert.deepEqual(parsePaymentCode(made.code), { kind: made.kind, handle: enrolment.handle });
    assert.ok(terminal === undefined || !accepts(made.code, now, "ZZZZZZ"), "another terminal is a wrong code");
    assert.ok(accepts(made.code, now, terminal) && accepts(more.code, now, terminal), `${now} ${String(terminal)}`);
    assert.ok(!accepts(made.code, now, terminal), "a step is charged once");
  }
});

test("a code is the same throughout its step, and the seconds left count down to its end", async () => {
  const wallet = await freshWallet();
  const start = STEP * STEP_MS;
  const codes = new Set<string>();
  for (let second = 0; second < 30; second += 1) {
    const { code, step, secondsLeft, endsAt } = await wallet.code(start + second * 1000);
    codes.add(code);
    assert.deepEqual({ step, secondsLeft, endsAt }, { step: STEP, secondsLeft: 30 - second, endsAt: start + STEP_MS });
  }
  assert.equal(codes.size, 1);
  assert.equal((await wallet.code(start + 29_999)).secondsLeft, 1);
  const after = await wallet.code(start + STEP_MS);
  assert.deepEqual([after.step, after.secondsLeft, codes.has(after.code)], [STEP + 1, 30, false]);
});

test("the next code is of an unused step not beyond the one to come, else it says how long to wait", async () => {
  const wallet = await freshWallet();
  const first = shown(await wallet.next(NOON));
  const second = shown(await wallet.next(NOON));
  assert.deepEqual([first.step, second.step, second.secondsLeft], [STEP, STEP + 1, 45]);
  assert.equal((await wallet.code(NOON)).code, first.code, "what is shown meanwhile is the step's own code");
  const endsAt = (STEP + 1) * STEP_MS;
  assert.deepEqual(await wallet.next(NOON), { kind: "wait", secondsToWait: 15, endsAt });
  assert.deepEqual(await wallet.next(endsAt - 1), { kind: "wait", secondsToWait: 1, endsAt });
  assert.equal(shown(await wallet.next(endsAt)).step, STEP + 2);
});

test("a step that was shown is used, for any terminal", async () => {
  const wallet = await freshWallet();
  await wallet.code(NOON, "K7Q2ZD");
  assert.equal(shown(await wallet.next(NOON)).step, STEP + 1);
  assert.equal((await wallet.next(NOON, "K7Q2ZD")).kind, "wait");
});

test("a clock that was an hour ahead and is set back leaves every step to use", async () => {
  const wallet = await freshWallet();
  const ahead = NOON + 3_600_000;
  await wallet.code(ahead);
  assert.equal(shown(await wallet.next(ahead)).step, STEP + 121);
  assert.equal((await wallet.next(ahead)).kind, "wait");
  assert.equal(shown(await wallet.next(NOON)).step, STEP);
  assert.equal(shown(await wallet.next(NOON)).step, STEP + 1);
});

test("the ten steps shown last are used, whichever they are, and an eleventh is forgotten", async () => {
  const storage = memoryStorage();
  const wallet = await freshWallet(storage);
  for (let ahead = 9; ahead >= 0; ahead -= 1) await wallet.code(NOON + ahead * STEP_MS);
  assert.equal((await wallet.next(NOON + 8 * STEP_MS)).kind, "wait", "the first two shown are still known");
  // Shown again, it is the latest of the ten.
  await wallet.code(NOON + 9 * STEP_MS);
  await wallet.code(NOON + 20 * STEP_MS);
  assert.equal((await wallet.next(NOON + 9 * STEP_MS)).kind, "offline");
  const kept = JSON.parse((await storage.get(`mps.device.${wallet.cardId}`)) ?? "") as { used: number[] };
  assert.equal(kept.used.length, 10);
  assert.ok(!kept.used.includes(STEP + 8) && kept.used.includes(STEP + 9));
});

test("a step shown many times is one of the ten", async () => {
  const wallet = await freshWallet();
  await wallet.code(NOON + STEP_MS);
  for (let time = 0; time < 12; time += 1) await wallet.code(NOON);
  assert.equal((await wallet.next(NOON)).kind, "wait");
});

test("uncorrected, a clock that is wrong by 25 seconds works at every second of a step", async () => {
  for (const wrongMs of [-25_000, 25_000]) {
    for (let second = 0; second < 30; second += 1) {
      const enrolment = freshEnrolment();
      const wallet = await OfflineWallet.keep(memoryStorage(), enrolment);
      const truth = STEP * STEP_MS + second * 1000;
      const { code } = await wallet.code(truth + wrongMs);
      // A cashier needs a moment: 4 seconds later the till's server is asked.
      assert.ok(server(enrolment)(code, truth + 4000), `${wrongMs} at second ${second}`);
    }
  }
});

test("a clock that is wrong by hours works once the server's time is known, over a reload too", async (t) => {
  for (const wrongMs of [-7_200_000, 7_200_000]) {
    const storage = memoryStorage();
    const enrolment = freshEnrolment();
    const phoneNow = NOON + wrongMs;
    const wallet = await OfflineWallet.keep(storage, enrolment);
    const lost = await wallet.code(phoneNow);
    assert.ok(!server(enrolment)(lost.code, NOON), "uncorrected it fails");
    t.mock.timers.enable({ apis: ["Date"], now: phoneNow });
    await keepClock(storage, { skewMs: -wrongMs + 300, uncertaintyMs: 700 });
    t.mock.timers.setTime(phoneNow + 5000);
    await keepClock(storage, { skewMs: -wrongMs + 300, uncertaintyMs: 700 });
    t.mock.timers.reset();
    const reopened = await OfflineWallet.open(storage, enrolment.card_id);
    assert.ok(reopened !== undefined);
    const { code, step, endsAt, secondsLeft } = await reopened.code(phoneNow);
    assert.ok(server(enrolment)(code, NOON));
    assert.deepEqual([step, secondsLeft, endsAt], [STEP, 15, phoneNow + 14_700]);
  }
});

test("a reading within its own uncertainty changes nothing, a better one does, and a clock set back forgets it", async (t) => {
  const storage = memoryStorage();
  t.mock.timers.enable({ apis: ["Date"], now: NOON });
  await keepClock(storage, { skewMs: 600, uncertaintyMs: 700 });
  assert.equal(await storage.get("mps.clock"), null);
  await keepClock(storage, { skewMs: 90_000, uncertaintyMs: 700, measuredAt: NOON - 5000 });
  await keepClock(storage, { skewMs: 90_000, uncertaintyMs: 700 });
  await keepClock(storage, { skewMs: 90_600, uncertaintyMs: 700 });
  assert.deepEqual(JSON.parse((await storage.get("mps.clock")) ?? ""), { skewMs: 90_000, measuredAt: NOON });
  const wallet = await freshWallet(storage);
  assert.equal((await wallet.code(NOON)).step, STEP + 3);
  assert.equal((await wallet.code(NOON - 9000)).step, STEP + 3, "a clock is trimmed by seconds without being set");
  assert.equal((await wallet.code(NOON - 60_000)).step, STEP - 2, "set back by a minute it is another clock");
  t.mock.timers.setTime(NOON - 60_000);
  await keepClock(storage, { skewMs: 100, uncertaintyMs: 700 });
  assert.deepEqual(JSON.parse((await storage.get("mps.clock")) ?? ""), { skewMs: 100, measuredAt: NOON - 60_000 });
  for (const reading of [{ skewMs: NaN, uncertaintyMs: 1 }, { skewMs: 1, uncertaintyMs: -1 }, { skewMs: 1, uncertaintyMs: NaN }]) {
    await assert.rejects(keepClock(storage, reading), { code: "MALFORMED_ARGUMENT", params: { field: "reading" } });
  }
});

test("a wrong clock that answers keep confirming is forgotten when it is set back, however old its first reading is", async (t) => {
  const storage = memoryStorage();
  const HOUR = 3_600_000;
  t.mock.timers.enable({ apis: ["Date"], now: NOON });
  await keepClock(storage, { skewMs: 2 * HOUR, uncertaintyMs: 700, measuredAt: NOON - 5000 });
  await keepClock(storage, { skewMs: 2 * HOUR, uncertaintyMs: 700 });
  t.mock.timers.setTime(NOON + 3 * HOUR);
  await keepClock(storage, { skewMs: 2 * HOUR + 300, uncertaintyMs: 700 });
  assert.deepEqual(JSON.parse((await storage.get("mps.clock")) ?? ""), { skewMs: 2 * HOUR, measuredAt: NOON + 3 * HOUR });
  t.mock.timers.setTime(NOON + 3 * HOUR + 59_000);
  await keepClock(storage, { skewMs: 2 * HOUR, uncertaintyMs: 700 });
  assert.match((await storage.get("mps.clock")) ?? "", new RegExp(`"measuredAt":${String(NOON + 3 * HOUR)}`), "not at every answer");
  const wallet = await freshWallet(storage);
  assert.equal((await wallet.code(NOON + HOUR)).step, STEP + 120, "two hours less on the clock than when it was last seen");
});

test("a jump of the clock wants a second opinion, and the same stale answer again is none", async (t) => {
  const HOUR = 3_600_000;
  t.mock.timers.enable({ apis: ["Date"], now: NOON });
  /** A phone after these readings; each is the seconds after noon, and the server's clock as the answer has it. */
  const stepAfter = async (readings: readonly (readonly [second: number, serverMs: number])[]): Promise<number> => {
    const storage = memoryStorage();
    for (const [second, serverMs] of readings) {
      t.mock.timers.setTime(NOON + second * 1000);
      await keepClock(storage, { skewMs: serverMs - (NOON + second * 1000), uncertaintyMs: 700 });
    }
    return (await (await freshWallet(storage)).code(NOON)).step;
  };
  const [truth, stale] = [(second: number) => NOON + second * 1000, NOON - 2 * HOUR];
  assert.equal(await stepAfter([[0, stale]]), STEP, "one answer of a cache without Age");
  for (const seconds of [[0, 1, 2, 3, 4, 5, 6, 7], [0, 3, 6], [0, 0.5, 1, 1.5, 2], [0, 60, 3600]]) {
    assert.equal(await stepAfter(seconds.map((second) => [second, stale])), STEP, `the same answer ${seconds.join()} s after noon`);
  }
  assert.equal(await stepAfter([[0, stale], [5, truth(5)], [10, stale + 10_000]]), STEP, "a right answer in between");
  const ahead = (second: number): number => truth(second) + 2 * HOUR;
  assert.equal(await stepAfter([[0, ahead(0)], [5, ahead(5)]]), STEP + 240, "a clock that is really wrong");
  assert.equal(await stepAfter([[0, ahead(0)], [1, ahead(1)], [2, ahead(2)], [3, ahead(3)]]), STEP + 240, "answers in close order");
  assert.equal(await stepAfter([[0, truth(0) + 29_000]]), STEP + 1, "what a till forgives is no jump");
});

test("a kept clock that is none counts as nothing known", async () => {
  for (const text of ["{", "null", "7", '{"skewMs":"1","measuredAt":0}', '{"skewMs":1e999,"measuredAt":0}', '{"skewMs":60000}', '{"skewMs":0,"measuredAt":0,"jump":{"skewMs":60000}}']) {
    const storage = memoryStorage();
    await storage.set("mps.clock", text);
    assert.equal((await (await freshWallet(storage)).code(NOON)).step, STEP, text);
  }
});

/** Twenty calls of two tabs at once: each of the two steps there are is given out once, the others wait. */
async function race(tabs: readonly [KeyValueStorage, KeyValueStorage]): Promise<void> {
  const enrolment = freshEnrolment();
  const first = await OfflineWallet.keep(tabs[0], enrolment);
  const second = await OfflineWallet.open(tabs[1], enrolment.card_id);
  assert.ok(second !== undefined);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? first : second).next(NOON)));
  const steps = answers.flatMap((answer) => (answer.kind === "wait" ? [] : [answer.step]));
  assert.deepEqual(steps.sort(), [STEP, STEP + 1]);
}

test("two tabs never show one step as their next: memory, Web Storage, IndexedDB", async () => {
  const memory = memoryStorage();
  await race([memory, memory]);
  const page = pageStorage();
  await race([webStorage(page), webStorage(page)]);
  await race([indexedDbStorage(), indexedDbStorage()]);
});

test("without Web Locks the storage's own update keeps tabs apart, and one that has none is refused", async () => {
  await withoutLocks(async () => {
    const memory = memoryStorage();
    await race([memory, memory]);
    await race([indexedDbStorage("unlocked"), indexedDbStorage("unlocked")]);
    const refusal = { code: "MALFORMED_ARGUMENT", params: { field: "storage" } };
    await assert.rejects(freshWallet(webStorage(pageStorage())), refusal);
    await assert.rejects(OfflineWallet.open(webStorage(pageStorage()), "c1"), refusal);
  });
});

test("a change that throws leaves what is kept, and does not stop the next one", async () => {
  for (const storage of [memoryStorage(), webStorage(pageStorage()), indexedDbStorage("throwing")]) {
    const wallet = await freshWallet(storage);
    await wallet.code(NOON);
    const before = await storage.get(`mps.device.${wallet.cardId}`);
    await assert.rejects(wallet.code(NOON + STEP_MS, "k7q2zd"), { code: "TERMINAL_NOT_FOUND" });
    assert.equal(await storage.get(`mps.device.${wallet.cardId}`), before);
    assert.equal((await wallet.code(NOON + STEP_MS)).step, STEP + 1);
  }
});

test("what is wrong with an argument is said by code and field, and nothing of the key", async () => {
  const enrolment = freshEnrolment();
  const { device_key } = enrolment;
  const wallet = await OfflineWallet.keep(memoryStorage(), enrolment);
  const keep = (change: object) => OfflineWallet.keep(memoryStorage(), { ...enrolment, ...change });
  const wrong: (readonly [string, string, () => Promise<unknown>])[] = [
    ...["123456789", "12345678901", "12345a7890", "", 1234567890, null, undefined].map((handle) => ["MALFORMED_ARGUMENT", "handle", () => keep({ handle })] as const),
    ...[device_key.slice(1), `${device_key}0`, device_key.replace(/^./, "g"), "", 7, null].map((key) => ["MALFORMED_ARGUMENT", "device_key", () => keep({ device_key: key })] as const),
    ...["", 7, null, undefined].map((card_id) => ["MALFORMED_ARGUMENT", "card_id", () => keep({ card_id })] as const),
    ...["", "K7Q2Z", "K7Q2ZDA", "k7q2zd", "K7Q2Z-", "\ud800Q2ZDA", 7, {}].map((terminal) => ["TERMINAL_NOT_FOUND", "terminal", () => wallet.code(NOON, terminal as string)] as const),
    ...[NaN, -1, Infinity, 2 ** 70, "now", null, {}].map((now) => ["MALFORMED_ARGUMENT", "now", () => wallet.next(now as number)] as const),
  ];
  for (const [code, field, call] of wrong) {
    const error: unknown = await call().catch((thrown: unknown) => thrown);
    assert.ok(error instanceof MpsError, field);
    assert.deepEqual({ code: error.code, params: error.params }, { code, params: { field } });
    assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes(device_key.slice(1, 40)), "the key is in no error");
  }
  assert.throws(() => offlineCode(enrolment, 1.5), { code: "MALFORMED_ARGUMENT", params: { field: "now" } });
  assert.throws(() => offlineCode(enrolment, "1" as unknown as number), { code: "MALFORMED_ARGUMENT", params: { field: "now" } });
});

test("the wallet shows card and handle, and the key nowhere", async () => {
  const enrolment = freshEnrolment();
  const wallet = await OfflineWallet.keep(memoryStorage(), enrolment);
  const { card_id, handle, device_key } = enrolment;
  assert.deepEqual(JSON.parse(JSON.stringify(wallet)), { cardId: card_id, handle });
  await wallet.code(NOON);
  for (const text of [Object.prototype.toString.call(wallet), JSON.stringify(wallet), inspect(wallet, { showHidden: true, depth: 9 }), JSON.stringify(Object.entries(wallet))]) {
    assert.ok(!text.includes(device_key), text);
  }
});

test("a phone that was forgotten or enrolled anew makes no more codes, and is found as what it is", async () => {
  const storage = memoryStorage();
  const enrolment = freshEnrolment();
  assert.equal(await OfflineWallet.open(storage, enrolment.card_id), undefined);
  const former = await OfflineWallet.keep(storage, enrolment);
  const wallet = await OfflineWallet.keep(storage, { ...freshEnrolment(), card_id: enrolment.card_id });
  await assert.rejects(former.code(NOON), { code: "DEVICE_NOT_FOUND" });
  await former.forget();
  assert.equal((await wallet.code(NOON)).step, STEP, "the former one forgets itself only");
  await wallet.forget();
  await assert.rejects(wallet.next(NOON), { code: "DEVICE_NOT_FOUND" });
  assert.equal(await OfflineWallet.open(storage, enrolment.card_id), undefined);
  assert.equal(await storage.get(`mps.device.${enrolment.card_id}`), null);
});

test("the same enrolment kept again knows the steps it has shown; another one begins anew", async () => {
  const storage = memoryStorage();
  const enrolment = freshEnrolment();
  await (await OfflineWallet.keep(storage, enrolment)).code(NOON);
  assert.equal(shown(await (await OfflineWallet.keep(storage, enrolment)).next(NOON)).step, STEP + 1);
  const other = await OfflineWallet.keep(storage, { ...freshEnrolment(), card_id: enrolment.card_id });
  assert.equal(shown(await other.next(NOON)).step, STEP);
});

test("what is kept and is no enrolment counts as none", async () => {
  for (const text of ["{", "null", "[]", '{"handle":"1234567890"}', '{"handle":"1234567890","device_key":"00","used":1}']) {
    const storage = memoryStorage();
    await storage.set("mps.device.c1", text);
    assert.equal(await OfflineWallet.open(storage, "c1"), undefined, text);
  }
});
