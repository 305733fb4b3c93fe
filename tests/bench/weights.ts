// What the entries weigh: their scripts bundled and minified as an app would, and the module.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "esbuild";

const file = (name: string): string => fileURLToPath(new URL(`../../pkg/dist/${name}`, import.meta.url));

/** An entry's scripts in one. */
export async function script(entry: string): Promise<Uint8Array> {
  const { outputFiles } = await build({ entryPoints: [file(entry)], bundle: true, minify: true, format: "esm", write: false });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;

export async function weights(): Promise<string[]> {
  const line = (name: string, parts: readonly Uint8Array[], budget: string): string => {
    const sum = (size: (part: Uint8Array) => number): string => kilobytes(parts.reduce((total, part) => total + size(part), 0));
    const gzip = sum((part) => gzipSync(part, { level: 9 }).length);
    return `| ${name} | ${sum((part) => part.length)} | ${gzip} | ${sum((part) => brotliCompressSync(part).length)} | ${budget} |`;
  };
  const [module, scanner] = [readFileSync(file("mps_bg.wasm")), readFileSync(file("mps_scanner_bg.wasm"))];
  return [
    line("`@mps/sdk`, scripts and module", [await script("browser.js"), module], "62 kB"),
    line("of which the module", [module], ""),
    line("`@mps/sdk/inline`", [await script("inline.js")], "80 kB"),
    line("`@mps/sdk/script`", [await script("script.js")], "86 kB"),
    line("`@mps/sdk/scanner`, scripts and module", [await script("scanner.js"), scanner], "146 kB"),
    line("of which the scripts, all that loads where the platform reads codes", [await script("scanner.js")], ""),
    line("`@mps/sdk/client`, every route", [await script("client.js")], "11.5 kB"),
    line("`@mps/sdk/supabase`", [await script("supabase.js")], "10 kB"),
  ];
}
