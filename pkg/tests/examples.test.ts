// The recipes of the README: each is a file, each runs as it is written. show-code.html is opened by tests/packaging, and till.js
// and supabase.js pay for real in tests/browser.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { memoryStorage } from "@mps/sdk/client";

import { charged } from "./sample_answers.ts";

const folder = new URL("../examples/", import.meta.url);

/** An example has no types: it is what a reader copies. */
const load = async <T>(name: string): Promise<T> => (await import(new URL(name, folder).href)) as T;

interface Till {
  readonly charge: (order: string, scanned: string, amount: string) => Promise<object>;
  readonly close: (order: string) => Promise<void>;
}

test("the README shows every example as it is", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const files = readdirSync(folder);
  assert.ok(files.length >= 4, files.join());
  for (const file of files) {
    const text = readFileSync(new URL(file, folder), "utf8").trim();
    const kind = file.endsWith(".html") ? "html" : "js";
    assert.ok(readme.includes(`\`\`\`${kind}\n${text}\n\`\`\`\n`), `${file} is not in README.md as it is`);
  }
});

test("quote.js prints a price, points and the way to the next level", () => {
  const printed = execFileSync(process.execPath, [fileURLToPath(new URL("quote.js", folder))], { encoding: "utf8" });
  assert.equal(printed, "to pay 284.05 (× 0.950), 299 points; level 1, 3800 points to the next\n");
});

test("till.js charges once over a bad line, a reload and a code that expired, and says why it does not", async () => {
  const { openTill } = await load<{ openTill: (...args: readonly unknown[]) => Till }>("till.js");
  const sent: { readonly key: unknown; readonly code: unknown }[] = [];
  const paid = charged({ tx_no: "PAY0000000001", final_amount: "284.05" });
  const refusal = (code: string, status: number) => ({ code, status, retry: "after_fix", params: {} });
  const answers: readonly (object | null)[] = [
    ...[null, null, null, null, paid, paid],
    refusal("INSUFFICIENT_BALANCE", 402),
    ...[null, null, null, null, refusal("QR_EXPIRED_OR_INVALID", 409), paid],
    ...[refusal("RATE_LIMITED", 429), paid],
  ];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      if (request.url?.endsWith("/cancel") === true) return void response.end(JSON.stringify({ cancelled: true }));
      const { qr_plain } = JSON.parse(body) as { qr_plain: unknown };
      const answer = answers[sent.push({ key: request.headers["idempotency-key"], code: qr_plain }) - 1];
      if (answer === null || answer === undefined) return void response.destroy();
      const { status } = { status: 200, ...answer };
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const storage = memoryStorage();
    const open = (): Till => openTill(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => "t", storage);
    const [code, fresh] = ["701234567890123456789017", "701234567890123456789025"];
    const receipt = { paid: "284.05", receipt: "PAY0000000001" };
    assert.deepEqual(await open().charge("17", code, "299.00"), { again: true });
    assert.deepEqual(await open().charge("17", code, "299.00"), receipt);
    assert.deepEqual(await open().charge("17", fresh, "1.00"), receipt, "the order is paid, whatever is scanned");
    assert.deepEqual(await open().charge("18", code, "299.00"), { refused: "INSUFFICIENT_BALANCE" });
    assert.deepEqual(await open().charge("19", code, "299.00"), { again: true });
    assert.deepEqual(await open().charge("19", fresh, "299.00"), { refused: "QR_EXPIRED_OR_INVALID" });
    assert.deepEqual(await open().charge("19", fresh, "299.00"), receipt);
    assert.deepEqual(await open().charge("20", code, "299.00"), { again: true });
    assert.deepEqual(await open().charge("20", fresh, "299.00"), receipt);
    assert.deepEqual(sent.map(({ code: scanned }) => scanned === fresh), [...Array<boolean>(12).fill(false), true, false, true]);
    assert.deepEqual([sent.length, new Set(sent.map(({ key }) => key)).size], [answers.length, 5], "the key of a refused order was cancelled");
    await open().close("17");
    assert.equal(await storage.get("mps.intent.17"), null);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("supabase.js sends a payment again with its key until there is an answer", async () => {
  const { pay } = await load<{ pay: (supabase: object, order: object) => Promise<object> }>("supabase.js");
  const keys: unknown[] = [];
  const rpc = (_: string, args: Record<string, unknown>): Promise<object> => {
    keys.push(args["p_idempotency_key"]);
    if (keys.length === 1) return Promise.reject(new TypeError("fetch failed"));
    return Promise.resolve({ data: [charged({ tx_no: "PAY0000000001", final_amount: 284.05, replayed: true })], error: null, status: 200 });
  };
  const order = { merchant_code: "SHOP001", qr_plain: "701234567890123456789017", raw_amount: "299.00" };
  assert.deepEqual(await pay({ rpc }, order), { tx_no: "PAY0000000001", final_amount: "284.05", replayed: true });
  assert.deepEqual([keys.length, new Set(keys).size], [2, 1]);
});
