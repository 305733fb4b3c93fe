// What each entry weighs in an app: its scripts in one, minified and compressed, and the module that comes with it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const KILOBYTE = 1000;

const dist = (name: string): string => fileURLToPath(new URL(`../dist/${name}`, import.meta.url));

async function bytesOf(entry: string): Promise<number> {
  const options = { bundle: true, minify: true, format: "esm", write: false } as const;
  const { outputFiles } = await build({ entryPoints: [dist(entry)], ...options });
  const [script] = outputFiles;
  assert.ok(script !== undefined && script.contents.length > 0);
  return gzipSync(script.contents, { level: 9 }).length;
}

test("the client's entry stays within 8 kB", async (context) => {
  const bytes = await bytesOf("client.js");
  context.diagnostic(`${bytes} bytes, gzip`);
  assert.ok(bytes <= 8 * KILOBYTE, `${bytes} bytes`);
});

test("the main entry stays within 60 kB, its module included", async (context) => {
  const module = gzipSync(await readFile(dist("mps_bg.wasm")), { level: 9 }).length;
  const bytes = module + (await bytesOf("browser.js"));
  context.diagnostic(`${bytes} bytes, gzip, ${module} of them the module`);
  assert.ok(bytes <= 60 * KILOBYTE, `${bytes} bytes`);
});
