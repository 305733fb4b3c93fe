// The tarball in pages: bundled by Vite, as plain scripts, in an app's WebView, and as a newcomer's first page.
import assert from "node:assert/strict";
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import jsqr from "jsqr";
import { PNG } from "pngjs";

import { answerOf, withPage } from "./browser.ts";
import { install, root, start } from "./project.ts";
import { scanned } from "./projects/frame.js";
import { wanted } from "./projects/probe.js";

test("Vite, built for production", async () => {
  const folder = await install("vite");
  await start(folder, process.execPath, [join(root, "node_modules/vite/bin/vite.js"), "build", "--logLevel", "warn"]);
  assert.deepEqual(await withPage(join(folder, "dist"), [], answerOf), { ...wanted, scanned });
});

test("a page without a bundler", async () => {
  const folder = await install("script");
  assert.deepEqual(await withPage(folder, [], answerOf), { ...wanted, scanned });
});

test("a page whose server does not know WebAssembly", async () => {
  const folder = await install("script");
  assert.deepEqual(await withPage(folder, [".wasm"], answerOf), { ...wanted, scanned });
});

test("an app's page that may fetch nothing: the inline entry", async () => {
  const folder = await install("webview");
  assert.deepEqual(await withPage(folder, [".wasm"], answerOf), wanted);
});

test("a page without WebAssembly whose policy forbids it too: the script entry", async () => {
  const folder = await install("lockdown");
  assert.deepEqual(await withPage(folder, [".wasm"], answerOf), { ...wanted, webAssembly: "undefined" });
});

test("a newcomer's page of under 15 lines shows a code that a camera reads", async () => {
  const page = join(root, "pkg/examples/show-code.html");
  const text = await readFile(page, "utf8");
  assert.ok(text.trim().split("\n").length < 15);
  const folder = await install("script");
  await cp(page, join(folder, "index.html"));
  const picture = await withPage(folder, [], async (page) => {
    await page.waitForSelector("svg");
    return page.screenshot();
  });
  const { data, width, height } = PNG.sync.read(picture);
  // The package is CommonJS with its function under `default`.
  assert.equal(jsqr.default(new Uint8ClampedArray(data), width, height)?.data, "701234567890123456789017");
});
