// The package in a real browser: the core's WebAssembly, fetched and started by Chromium, gives the answers of spec/vectors.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { launch } from "./browser.ts";

let browser: Browser;
let server: Server;
let page: Page;

before(async () => {
  const bundle = await build({
    stdin: { contents: 'export * from "@mps/sdk"; export { compare } from "../../pkg/tests/price_cases.ts";', resolveDir: import.meta.dirname },
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
  });
  const files: Record<string, [string, string | Uint8Array]> = {
    "/": ["text/html", "<!doctype html><title>vectors</title>"],
    "/sdk.js": ["text/javascript", bundle.outputFiles[0]?.contents ?? ""],
    "/mps_bg.wasm": ["application/wasm", readFileSync(fileURLToPath(import.meta.resolve("@mps/sdk/mps_bg.wasm")))],
  };
  server = createServer((request, response) => {
    const [type, body] = files[request.url ?? ""] ?? ["text/plain", ""];
    response.writeHead(body === "" ? 404 : 200, { "Content-Type": type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  browser = await launch();
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
after(async () => {
  await browser.close();
  server.close();
});

type Case = Record<string, string>;

function vectors(name: string, group: string): Case[] {
  const text = readFileSync(new URL(`../../spec/vectors/${name}.json`, import.meta.url), "utf8");
  const cases = (JSON.parse(text) as Record<string, Case[]>)[group] ?? [];
  assert.ok(cases.length > 3, `${name}.json has no ${group}`);
  return cases;
}

type Call = { name: "price" | "code"; row: Case };

/** What the package in the browser answers to each call: a value, or the code of the error it throws. */
function inBrowser(calls: Call[]): Promise<unknown[]> {
  return page.evaluate(async (calls) => {
    // An address on the page's server, so no module the compiler could know.
    const address: string = "/sdk.js";
    const mps = (await import(address)) as typeof import("@mps/sdk");
    await mps.init();
    const answer = ({ name, row }: Call): unknown => {
      if (name === "code") return { ...mps.parsePaymentCode(row["code"] ?? row["text"] ?? "") };
      const request = { cardType: "prepaid", rawAmount: row["raw_amount"] ?? "", fixedDiscount: row["discount"] ?? "" } as const;
      const { finalAmount, pointsEarned } = mps.quote(request);
      return { final_amount: finalAmount, points: String(pointsEarned) };
    };
    return calls.map((call) => {
      try {
        return answer(call);
      } catch (error) {
        return error instanceof mps.MpsError ? { err: error.code } : { thrown: String(error) };
      }
    });
  }, calls);
}

test("every price in a browser is the price of the vectors", async () => {
  const cases = vectors("price", "cases");
  const answers = await inBrowser(cases.map((row) => ({ name: "price", row })));
  for (const [position, row] of cases.entries()) {
    const expected = row["err"] === undefined ? { final_amount: row["final_amount"], points: row["points"] } : { err: row["err"] };
    assert.deepEqual(answers[position], expected, row["id"]);
  }
});

test("every payment code in a browser is read as the vectors say", async () => {
  const online = vectors("payment-code", "online").map((row) => ({ row, expected: { kind: "online" } }));
  const offline = vectors("payment-code", "offline").map((row) => ({
    row,
    expected: { kind: row["terminal"] === "" ? "offline" : "offlineTerminal", handle: row["handle"] },
  }));
  const invalid = vectors("payment-code", "invalid").map((row) => ({ row, expected: { err: row["err"] } }));
  const cases = [...online, ...offline, ...invalid];
  const answers = await inBrowser(cases.map(({ row }) => ({ name: "code", row })));
  for (const [position, { row, expected }] of cases.entries()) {
    // A key whose value is undefined crosses over from the browser as such: JSON leaves it out.
    assert.deepEqual(JSON.parse(JSON.stringify(answers[position])), expected, row["id"]);
  }
});

test("a hundred thousand seeded prices in a browser are those of the rule", async () => {
  const told = await page.evaluate(async () => {
    const address: string = "/sdk.js";
    const mps = (await import(address)) as typeof import("@mps/sdk") & typeof import("../../pkg/tests/price_cases.ts");
    await mps.init();
    return mps.compare(mps, 20_261_123, 100_000);
  });
  assert.deepEqual(told, { compared: 100_000, differences: [] });
});
