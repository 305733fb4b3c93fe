// What a till is told is never overtaken: the real client, a page that is reloaded, and a database, with an adversary in between who delays,
// drops and repeats requests, loses answers, and tops up and drains the card.

import assert from "node:assert/strict";
import { test } from "node:test";

import { type KeyValueStorage, MpsClient, MpsError, Unavailable, memoryStorage } from "@mps/sdk/client";

import { charged } from "./sample_answers.ts";

const request = { merchant_code: "SHOP001", qr_plain: "701234567890123456789017", raw_amount: "210.00" };
const price = 210;

/** Decides: every history in turn, or one that a seed names. */
class Choices {
  readonly taken: [chosen: number, of: number][];
  #place = 0;
  #state: number | undefined;

  constructor(taken: [number, number][] = [], seed?: number) {
    this.taken = taken;
    this.#state = seed;
  }

  choose(of: number): number {
    const place = this.#place;
    this.#place += 1;
    const before = this.taken[place];
    if (before !== undefined) return before[0];
    const chosen = this.#state === undefined ? 0 : this.#random(of);
    this.taken.push([chosen, of]);
    return chosen;
  }

  /** The next history; nothing after the last. */
  next(): Choices | undefined {
    const taken = [...this.taken];
    for (let last = taken.pop(); last !== undefined; last = taken.pop()) {
      const [chosen, of] = last;
      if (chosen + 1 < of) return new Choices([...taken, [chosen + 1, of]]);
    }
    return undefined;
  }

  /** Mulberry32. */
  #random(of: number): number {
    this.#state = ((this.#state ?? 0) + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % of;
  }
}

const problem = (code: string, status: number): Response => Response.json({ code, status, retry: "after_fix", params: {} }, { status });

class World {
  readonly choices: Choices;
  balance = 200;
  readonly paid = new Set<string>();
  readonly cancelled = new Set<string>();
  readonly held: (() => Response)[] = [];
  readonly history: string[] = [];
  #interferences: number;
  #isUnknown = false;

  constructor(choices: Choices, interferences: number) {
    this.choices = choices;
    this.#interferences = interferences;
  }

  readonly fetch = (url: unknown, init?: RequestInit): Promise<Response> => {
    this.#interfere();
    const key = new Headers(init?.headers).get("Idempotency-Key");
    const body = typeof init?.body === "string" ? init.body : "{}";
    const arrive = (): Response => (String(url).endsWith("/cancel") ? this.#cancel(JSON.parse(body) as { idempotency_key: string }) : this.#charge(key ?? ""));
    // Answered; answer lost; dropped; held, and given up; answer lost, and a copy held; answered, and a copy held. The last only once an attempt
    // is unknown: whose answer came the first time was sent once.
    const fate = this.choices.choose(this.#isUnknown ? 6 : 5);
    this.history.push(`${String(url)}: ${["answered", "answer lost", "dropped", "held", "answer lost, a copy held", "answered, a copy held"][fate] ?? ""}`);
    if (fate >= 3) this.held.push(arrive);
    if (fate !== 0) this.#isUnknown = true;
    if (fate === 0 || fate === 5) return Promise.resolve(arrive());
    if (fate === 1 || fate === 4) arrive();
    return Promise.reject(new TypeError("offline"));
  };

  /** There is money on the card, and everything arrives. */
  deliverAll(): void {
    this.balance += price;
    while (this.held.length > 0) this.#deliver();
  }

  #deliver(): void {
    const [late] = this.held.splice(this.choices.choose(this.held.length), 1);
    late?.();
    this.history.push("a late one arrives");
  }

  #interfere(): void {
    if (this.#interferences === 0) return;
    const acts = [() => undefined, () => (this.balance += price), () => (this.balance = 0), ...(this.held.length > 0 ? [() => this.#deliver()] : [])];
    const act = this.choices.choose(acts.length);
    if (act > 0) this.#interferences -= 1;
    acts[act]?.();
  }

  #charge(key: string): Response {
    if (this.cancelled.has(key)) return problem("REQUEST_CANCELLED", 409);
    const replayed = this.paid.has(key);
    if (!replayed && this.balance < price) return problem("INSUFFICIENT_BALANCE", 402);
    if (!replayed) this.balance -= price;
    this.paid.add(key);
    return Response.json(charged({ tx_no: "PAY0000000001", replayed }));
  }

  #cancel({ idempotency_key: key }: { idempotency_key: string }): Response {
    if (!this.paid.has(key)) this.cancelled.add(key);
    return Response.json({ cancelled: this.cancelled.has(key) });
  }
}

/** Charges as the till does: again while nobody knows, in a page that may be reloaded in between. */
async function charge(world: World, storage: KeyValueStorage, tries: number): Promise<"paid" | "refused" | "cancelled" | "unknown"> {
  for (let at = 0; at < tries; at += 1) {
    const client = new MpsClient({ baseUrl: "http://model", accessToken: () => "t", retriesMax: 1, retryDelayMs: 0, fetch: world.fetch, storage });
    try {
      await client.charge(request, { intent: "order-1" });
      return "paid";
    } catch (error) {
      assert.ok(error instanceof MpsError);
      if (!(error instanceof Unavailable)) return error.keyCancelled ? "cancelled" : "refused";
    }
  }
  return "unknown";
}

async function check(choices: Choices, interferences: number, tries: number, reached: Map<string, number>): Promise<void> {
  const world = new World(choices, interferences);
  const told = await charge(world, memoryStorage(), tries);
  reached.set(told, (reached.get(told) ?? 0) + 1);
  const before = world.paid.size;
  world.deliverAll();
  const history = `told ${told}: ${world.history.join("; ")}`;
  if (told === "paid") assert.deepEqual([before, world.paid.size], [1, 1], history);
  if (told === "refused" || told === "cancelled") assert.equal(world.paid.size, 0, history);
  assert.ok(world.paid.size <= 1, history);
}

test("of two attempts no refusal is overtaken in any history", async () => {
  const reached = new Map<string, number>();
  for (let choices: Choices | undefined = new Choices(); choices !== undefined; choices = choices.next()) await check(choices, 1, 1, reached);
  assert.deepEqual([...reached.keys()].sort(), ["cancelled", "paid", "refused", "unknown"], "every end is reached");
});

test("of three tries of two attempts each, with reloads in between, no refusal is overtaken", async () => {
  const reached = new Map<string, number>();
  const seeds = Array.from({ length: 3000 }, (_, seed) => seed);
  await Promise.all(seeds.map((seed) => check(new Choices([], seed), 9, 3, reached)));
  assert.deepEqual([...reached.keys()].sort(), ["cancelled", "paid", "refused", "unknown"], "every end is reached");
});
