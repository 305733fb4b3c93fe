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

const folder = new URL("../examples/", import.meta.url);

/** An example has no types: it is what a reader copies. */
const load = async <T>(name: string): Promise<T> => (await import(new URL(name, folder).href)) as T;

type Charge = (order: string, scanned: string, amount: string) => Promise<object>;

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

test("till.js charges once over a bad line and a reload, and says why it does not", async () => {
  const { openTill } = await load<{ openTill: (...args: readonly unknown[]) => Charge }>("till.js");
  const keys: unknown[] = [];
  const answers: readonly (object | number | null)[] = [null, null, null, null, { tx_no: "PAY0000000001", final_amount: "284.05" }, 402];
  const server = createServer((request, response) => {
    const answer = answers[keys.push(request.headers["idempotency-key"]) - 1];
    if (answer === null || answer === undefined) return void response.destroy();
    const problem = { code: "INSUFFICIENT_BALANCE", status: 402, retry: "after_fix", params: {} };
    response.writeHead(answer === 402 ? 402 : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer === 402 ? problem : answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const storage = memoryStorage();
    const open = (): Charge => openTill(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => "t", storage);
    assert.deepEqual(await open()("17", "701234567890123456789017", "299.00"), { again: true });
    assert.deepEqual(await open()("17", "701234567890123456789017", "299.00"), { paid: "284.05", receipt: "PAY0000000001" });
    assert.deepEqual(await open()("18", "701234567890123456789017", "299.00"), { refused: "INSUFFICIENT_BALANCE" });
    assert.deepEqual([keys.length, new Set(keys).size], [6, 2]);
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
    return Promise.resolve({ data: [{ tx_no: "PAY0000000001", final_amount: 284.05, replayed: true }], error: null, status: 200 });
  };
  const order = { merchant_code: "SHOP001", qr_plain: "701234567890123456789017", raw_amount: "299.00" };
  assert.deepEqual(await pay({ rpc }, order), { tx_no: "PAY0000000001", final_amount: "284.05", replayed: true });
  assert.deepEqual([keys.length, new Set(keys).size], [2, 1]);
});
