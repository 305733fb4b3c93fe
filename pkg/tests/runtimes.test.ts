// Runtimes that lack something, and resolvers that are old: importing never throws, and what can work does.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { readonly main: string; readonly module: string; readonly types: string; readonly exports: Record<string, unknown> };
const entries = Object.entries(manifest.exports).filter(([, target]) => typeof target === "object").map(([name]) => name.slice(1));

const inFreshNode = (type: "module" | "commonjs", script: string): string =>
  execFileSync(process.execPath, [`--input-type=${type}`, "--eval", script], { cwd: root, encoding: "utf8" }).trim();

/** Texts last: Node.js makes the others of them when they are looked at. */
const lacking = ["fetch", "Response", "Request", "crypto", "navigator", "indexedDB", "DOMException", "TextDecoder", "TextEncoder"];

test("every entry can be imported and required where much is missing", () => {
  const forget = `for (const name of ${JSON.stringify(lacking)}) Object.defineProperty(globalThis, name, { value: undefined });`;
  for (const entry of entries) {
    assert.equal(inFreshNode("module", `${forget} await import("@mps/sdk${entry}"); console.log("fine");`), "fine", entry);
    assert.equal(inFreshNode("commonjs", `${forget} require("@mps/sdk${entry}"); console.log("fine");`), "fine", entry);
  }
});

test("without TextDecoder and TextEncoder texts are the same, in both directions", () => {
  const printed = inFreshNode("module", `
    import { init, quote, qrSvg } from "@mps/sdk/inline";
    const draw = () => qrSvg("701234567890123456789017", { title: "付款碼 \\u{1f600} é" });
    await init();
    const before = draw();
    for (const name of ["TextDecoder", "TextEncoder"]) Object.defineProperty(globalThis, name, { value: undefined });
    console.log(draw() === before, before.includes("付款碼 \\u{1f600} é"), quote({ cardType: "standard", rawAmount: "299.00", points: 1200 }).finalAmount);
    try { quote({ cardType: "鍵", rawAmount: "1" }); } catch (error) { console.log(error.code); }`);
  assert.equal(printed, "true true 284.05\nMALFORMED_ARGUMENT");
});

test("main, module and types, and a folder for each entry, lead where exports do", () => {
  const resolved = (target: string): string => readFileSync(`${root}${target}`, "utf8");
  assert.ok(resolved(manifest.main).includes("exports") && resolved(manifest.module).includes("export {") && resolved(manifest.types).includes("export"));
  for (const entry of entries.filter((name) => name !== "")) {
    const folder = JSON.parse(resolved(`${entry.slice(1)}/package.json`)) as Record<"main" | "module" | "types", string>;
    for (const target of [folder.main, folder.module, folder.types]) assert.ok(readFileSync(new URL(target, `file://${root}${entry.slice(1)}/`)).length > 0, `${entry}: ${target}`);
  }
});

test("a package required and a package imported compute alike, and an error has one class in all entries of each", () => {
  const ask = `a.init().then(() => console.log(a.quote({ cardType: "standard", rawAmount: "299.00", points: 1200 }).finalAmount, [c, s, t].every(({ MpsError }) => MpsError === a.MpsError)))`;
  const imported = `import * as a from "@mps/sdk"; import * as c from "@mps/sdk/client"; import * as s from "@mps/sdk/scanner"; import * as t from "@mps/sdk/script"; ${ask}`;
  const required = `const a = require("@mps/sdk"), c = require("@mps/sdk/client"), s = require("@mps/sdk/scanner"), t = require("@mps/sdk/script"); ${ask}`;
  assert.equal(inFreshNode("module", imported), "284.05 true");
  assert.equal(inFreshNode("commonjs", required), "284.05 true");
});
