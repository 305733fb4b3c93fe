// The recipe of the README does what it says: enrolled over HTTP, it makes codes when the server is gone.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import { type OfflineWallet, parsePaymentCode } from "@mps/sdk";
import { type KeyValueStorage, memoryStorage } from "@mps/sdk/client";

interface Example {
  readonly enrol: (baseUrl: string, accessToken: () => string, cardId: string, storage: KeyValueStorage) => Promise<OfflineWallet>;
  readonly showCode: (cardId: string, terminal: string | undefined, storage: KeyValueStorage) => Promise<string>;
}

const file = new URL("../examples/offline.js", import.meta.url);
const ENROLLED = { handle: "4242424242", device_key: "880b6db2c7db538de0d839c08a333146ca16b339d24bc6be75a686ff115d489d" };

test("the recipe enrols, and then shows codes without a server: two, and then how long to wait", async () => {
  const { enrol, showCode } = (await import(file.href)) as Example;
  const server = createServer((_, response) => response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(ENROLLED)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const storage = memoryStorage();
  await enrol(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => "token", "card-1", storage);
  server.closeAllConnections();
  server.close();
  assert.equal(parsePaymentCode(await showCode("card-1", undefined, storage)).handle, ENROLLED.handle);
  assert.equal(parsePaymentCode(await showCode("card-1", "K7Q2ZD", storage)).kind, "offlineTerminal");
  assert.match(await showCode("card-1", undefined, storage), /^The next code comes in \d+ s\.$|^71\d{22}$/);
  assert.equal(await showCode("card-2", undefined, storage), "This phone is not enrolled.");
});

test("the README shows the recipe as it is", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  assert.ok(readme.includes(readFileSync(file, "utf8").trim()), "pkg/examples/offline.js is in README.md, word for word");
});
