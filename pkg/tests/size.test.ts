// What each entry weighs in an app: its scripts in one, minified and compressed, and the module that comes with it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const KILOBYTE = 1000;

/** Every entry that has scripts, what comes with it, and its budget. */
const entries: Readonly<Record<string, readonly [script: string, module: string | undefined, kilobytesMax: number]>> = {
  ".": ["browser.js", "mps_bg.wasm", 62],
  "./inline": ["inline.js", undefined, 80],
  "./script": ["script.js", undefined, 86],
  "./scanner/inline": ["scanner_inline.js", undefined, 170],
  "./scanner": ["scanner.js", "mps_scanner_bg.wasm", 146],
  "./client": ["client.js", undefined, 11.5],
  "./supabase": ["supabase.js", undefined, 10],
};

const dist = (name: string): string => fileURLToPath(new URL(`../dist/${name}`, import.meta.url));

async function scriptOf(entry: string): Promise<number> {
  const options = { bundle: true, minify: true, format: "esm", write: false } as const;
  const { outputFiles } = await build({ entryPoints: [dist(entry)], ...options });
  const [script] = outputFiles;
  assert.ok(script !== undefined && script.contents.length > 0);
  return gzipSync(script.contents, { level: 9 }).length;
}

const moduleOf = async (name: string): Promise<number> => gzipSync(await readFile(dist(name)), { level: 9 }).length;

for (const [entry, [script, module, kilobytesMax]] of Object.entries(entries)) {
  test(`${entry} stays within ${kilobytesMax} kB, its module included`, async (context) => {
    const [scripts, modules] = [await scriptOf(script), module === undefined ? 0 : await moduleOf(module)];
    context.diagnostic(`${scripts + modules} bytes, gzip, ${modules} of them the module`);
    assert.ok(scripts + modules > 0 && scripts + modules <= kilobytesMax * KILOBYTE, `${scripts + modules} bytes`);
  });
}

test("no entry is without a budget, and the main entry knows nothing of the scanner", async () => {
  const manifest = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as { exports: object };
  const scripted = Object.entries(manifest.exports).filter(([, target]) => typeof target === "object");
  assert.deepEqual(scripted.map(([name]) => name).sort(), Object.keys(entries).sort());
  const options = { bundle: true, write: false, format: "esm" } as const;
  const text = async (entry: string): Promise<string> => (await build({ entryPoints: [dist(entry)], ...options })).outputFiles[0]?.text ?? "";
  const [main, scanner] = [await text("browser.js"), await text("scanner.js")];
  for (const word of ["mps_scanner_bg.wasm", "getUserMedia", "BarcodeDetector"]) {
    assert.ok(scanner.includes(word) && !main.includes(word), word);
  }
});
