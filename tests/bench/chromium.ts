// Cold starts in Chromium: a fresh profile's page for each, scripts and module from a server of this machine.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import { launch } from "../browser/browser.ts";
import { script } from "./weights.ts";

/** Milliseconds from the import of the script to the started module, one number a page. */
export async function coldStartsInChromium(pages: number): Promise<number[]> {
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
  const times: number[] = [];
  for (let at = 0; at < pages; at += 1) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`);
    const time = await page.evaluate(async () => {
      const address: string = "/sdk.js";
      const start = performance.now();
      const mps = (await import(address)) as typeof import("@mps/sdk");
      await mps.init();
      return performance.now() - start;
    });
    times.push(time);
    await context.close();
  }
  await browser.close();
  server.close();
  return times;
}
