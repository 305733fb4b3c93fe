// One payment by every way a program has: the package's client and curl over the edge; the package's calls over supabase-js and the Rust
// crate past it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { type Charge, memoryStorage } from "@mps/sdk/client";
import { mpsRpc } from "@mps/sdk/supabase";
import { fromEnvironment } from "./browser.ts";
import { elsewhere, type Person } from "./people.ts";

const edgeUrl = fromEnvironment("MPS_EDGE_URL");

/** The request and the token are in its standard input, not on its command line. */
function curl(token: string, key: string, body: object): Charge {
  const config = [
    `header = "Authorization: Bearer ${token}"`,
    `header = "Content-Type: application/json"`,
    `header = "Idempotency-Key: ${key}"`,
    `data = ${JSON.stringify(JSON.stringify(body))}`,
  ].join("\n");
  const output = execFileSync("curl", ["--silent", "--show-error", "--config", "-", `${edgeUrl}/api/payment/charge`], { input: config });
  return JSON.parse(output.toString()) as Charge;
}

/** The example of the Rust crate: it quotes and charges 12.50, gives the money back, and says what each answered. */
function rust(member: Person, cashier: Person, cardId: string): string[] {
  const args = ["run", "--quiet", "-p", "mps-client", "--example", "pay", "--", `${fromEnvironment("MPS_SUPABASE_URL")}/rest/v1`, "SHOP001", cardId];
  const env = { ...process.env, MPS_MEMBER_TOKEN: member.token, MPS_CASHIER_TOKEN: cashier.token };
  return execFileSync("cargo", args, { env, encoding: "utf8" }).trim().split(" ");
}

const names: readonly string[] = ["tx_id", "tx_no", "created_at"];
const withoutNames = (charge: Charge): object => Object.fromEntries(Object.entries(charge).filter(([name]) => !names.includes(name)));

test("MpsClient, curl, mpsRpc and a Rust program make the same payment with the same answer", async () => {
  const [member, cashier] = await Promise.all([elsewhere("hua"), elsewhere("cashier")]);
  const rpc = mpsRpc(cashier.supabase);
  // Other tests count what is on the standard cards.
  const card = (await member.client.cards()).find(({ card_type }) => card_type === "prepaid");
  assert.ok(card !== undefined);
  assert.deepEqual(await mpsRpc(member.supabase).call("listCards", {}), await member.client.call("listCards", {}));
  const order = async (): Promise<{ merchant_code: string; qr_plain: string; raw_amount: string }> => {
    const { qr_plain } = await member.client.rotateCode({ card_id: card.card_id });
    return { merchant_code: "SHOP001", qr_plain, raw_amount: "12.50" };
  };

  // One request, one key, three ways: one payment.
  const [request, idempotencyKey] = [await order(), crypto.randomUUID()];
  const first = await cashier.client.charge(request, { idempotencyKey });
  assert.equal(first.replayed, false);
  const again = { ...first, replayed: true };
  assert.deepEqual(curl(cashier.token, idempotencyKey, request), again);
  assert.deepEqual(await rpc.call("charge", request, { idempotencyKey }), again);

  // Four payments, which differ in their names only.
  const byCurl = curl(cashier.token, crypto.randomUUID(), await order());
  const byRpc = await rpc.call("charge", await order());
  const [quoted, rustTxNo = "", paid, refundTxNo = ""] = rust(member, cashier, card.card_id);
  assert.deepEqual([quoted, paid], [first.final_amount, first.final_amount]);
  assert.match(`${rustTxNo} ${refundTxNo}`, /^PAY\d{10} REF\d{10}$/);
  assert.equal(new Set([first.tx_no, byCurl.tx_no, byRpc.tx_no, rustTxNo]).size, 4);
  assert.deepEqual(withoutNames(byCurl), withoutNames(first));
  assert.deepEqual(withoutNames(byRpc), withoutNames(first));

  // And one refusal: the code was spent.
  const spent = { code: "QR_EXPIRED_OR_INVALID", status: 409, retry: "after_fix" };
  await assert.rejects(cashier.client.charge(request), spent);
  await assert.rejects(rpc.call("charge", request), spent);
});

/** A recipe of the package's README has no types: it is what a reader copies. */
const example = async <T>(name: string): Promise<T> => (await import(new URL(`../../pkg/examples/${name}`, import.meta.url).href)) as T;

interface Till {
  readonly charge: (order: string, scanned: string, amount: string) => Promise<{ paid?: string; receipt?: string; refused?: string }>;
}
type Pay = (supabase: object, order: object) => Promise<{ tx_no: string; replayed: boolean }>;

// In this file, as a fresh code ends the member's earlier one.
test("till.js and supabase.js of the README take a payment each, and the till refuses a spent code", async () => {
  const [member, cashier] = await Promise.all([elsewhere("hua"), elsewhere("cashier")]);
  const card = (await member.client.cards()).find(({ card_type }) => card_type === "prepaid");
  assert.ok(card !== undefined);
  const show = async (): Promise<string> => (await member.client.rotateCode({ card_id: card.card_id })).qr_plain;

  const { openTill } = await example<{ openTill: (...args: readonly unknown[]) => Till }>("till.js");
  const { charge } = openTill(edgeUrl, () => cashier.token, memoryStorage());
  const [code, orderNo] = [await show(), `recipe-${crypto.randomUUID()}`];
  const paid = await charge(orderNo, code, "1.20");
  assert.match(paid.receipt ?? "", /^PAY\d{10}$/);
  assert.deepEqual(await charge(orderNo, code, "1.20"), paid, "the same order again is the same payment");
  assert.deepEqual(await charge(`${orderNo}-b`, code, "1.20"), { refused: "QR_EXPIRED_OR_INVALID" });

  const { pay } = await example<{ pay: Pay }>("supabase.js");
  const { tx_no, replayed } = await pay(cashier.supabase, { merchant_code: "SHOP001", qr_plain: await show(), raw_amount: "1.20" });
  assert.match(tx_no, /^PAY\d{10}$/);
  assert.equal(replayed, false);
});
