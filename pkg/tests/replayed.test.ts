import assert from "node:assert/strict";
import { test } from "node:test";

import { MpsClient } from "@mps/sdk/client";

import { charged } from "./sample_answers.ts";

const CHARGE = { merchant_code: "SHOP001", qr_plain: "701234567890123456789017", raw_amount: "299.00" };

/** A client whose first request is lost, while every other one hears that it was done before. */
function client(): MpsClient {
  let sent = 0;
  const fetch = (): Promise<Response> => {
    sent += 1;
    return sent === 1 ? Promise.reject(new TypeError("fetch failed")) : Promise.resolve(Response.json(charged({ replayed: true })));
  };
  return new MpsClient({ baseUrl: "https://pay.example", accessToken: () => "a.b.c", fetch, retryDelayMs: 1 });
}

test("replayed is said of an earlier call, not of an attempt that this one repeated", async () => {
  assert.equal((await client().charge(CHARGE)).replayed, false);
  assert.equal((await client().charge(CHARGE, { idempotencyKey: "order-17" })).replayed, true, "who brings a key may have sent it before");
  const till = client();
  assert.equal((await till.charge(CHARGE, { intent: "order 17" })).replayed, false);
  assert.equal((await till.charge(CHARGE, { intent: "order 17" })).replayed, true);
});
