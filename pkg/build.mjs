// Builds dist/ from the compiled crate: `node build.mjs <path of mps_wasm.wasm>`.
// WASM_BINDGEN_BIN: wasm-bindgen of the very version in Cargo.lock. WASM_OPT_BIN: binaryen's wasm-opt; left out, the
// module stays as the compiler made it.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "dist");

const compiled = process.argv[2];
const { WASM_BINDGEN_BIN: bindgen, WASM_OPT_BIN: optimiser } = process.env;
if (compiled === undefined || bindgen === undefined) {
  console.error("pkg/build.mjs: give the path of mps_wasm.wasm and set WASM_BINDGEN_BIN; `cargo xtask build` does both");
  process.exit(2);
}

function run(program, args) {
  execFileSync(program, args, { stdio: "inherit", cwd: root });
}

// Built aside and moved in whole, so that a server or a second build never meets half of it.
const target = join(root, "..", "target");
mkdirSync(target, { recursive: true });
const aside = mkdtempSync(join(target, "pkg-"));
const fresh = join(aside, "dist");
mkdirSync(fresh);
run(bindgen, ["--target", "web", "--no-typescript", "--omit-default-module-path", "--out-name", "mps", "--out-dir", fresh, compiled]);
const module = join(fresh, "mps_bg.wasm");
if (optimiser !== undefined) {
  run(optimiser, ["-Oz", module, "-o", `${module}.small`]);
  renameSync(`${module}.small`, module);
}
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
run(process.execPath, [tsc, "--project", join(root, "tsconfig.json"), "--outDir", fresh]);
copyFileSync(join(root, "src", "mps.d.ts"), join(fresh, "mps.d.ts"));
if (existsSync(dist)) renameSync(dist, join(aside, "former"));
renameSync(fresh, dist);
rmSync(aside, { recursive: true });
console.log(`pkg/dist: the module has ${statSync(join(dist, "mps_bg.wasm")).size} bytes`);
