// Cold starts in Chromium: a fresh profile's page for each, scripts and module from a server of this machine.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import { launch } from "../browser/browser.ts";
import { script } from "./weights.ts";

/** Milliseconds: to import the script, then for `init()` to find, compile and start the module. */
export interface ColdStart {
  readonly script: number;
  readonly init: number;
}

/** Each of so many pages. */
export async function coldStartsInChromium(pages: number): Promise<ColdStart[]> {
  const files: Record<string, [string, string | Uint8Array]> = {
    "/": ["text/html", "<!doctype html><title>cold</title>"],
    "/sdk.js": ["text/javascript", await script("browser.js")],
    "/mps_bg.wasm": ["application/wasm", readFileSync(fileURLToPath(import.meta.resolve("@mps/sdk/mps_bg.wasm")))],
  };
  const server = createServer((request, response) => {
    const [type, body] = files[request.url ?? ""] ?? ["text/plain", ""];
    response.writeHead(body === "" ? 404 : 200, { "Content-Type": type, "Cache-Control": "no-store" }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await launch();
  const starts: ColdStart[] = [];
  for (let at = 0; at < pages; at += 1) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`);
    const start = await page.evaluate(async () => {
      const address: string = "/sdk.js";
      const began = performance.now();
      const mps = (await import(address)) as typeof import("@mps/sdk");
      const loaded = performance.now();
      await mps.init();
      const started = performance.now();
      return { script: loaded - began, init: started - loaded };
    });
    starts.push(start);
    await context.close();
  }
  await browser.close();
  server.close();
  return starts;
}
