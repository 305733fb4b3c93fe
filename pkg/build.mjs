// Builds dist/ from the compiled crate: `node build.mjs <path of mps_wasm.wasm> <path of mps_scanner.wasm>`.
// WASM_BINDGEN_BIN: wasm-bindgen of the very version in Cargo.lock. WASM_OPT_BIN: binaryen's wasm-opt; left out, the
// module stays as the compiler made it.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "dist");

const [, , compiled, scanner] = process.argv;
const { WASM_BINDGEN_BIN: bindgen, WASM_OPT_BIN: optimiser } = process.env;
if (scanner === undefined || bindgen === undefined) {
  console.error("pkg/build.mjs: give the paths of mps_wasm.wasm and mps_scanner.wasm and set WASM_BINDGEN_BIN; `cargo xtask build` does both");
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
/** A crate as a module and its glue; gives the module's path. */
function bind(crate, name, optimisation) {
  run(bindgen, ["--target", "web", "--no-typescript", "--omit-default-module-path", "--out-name", name, "--out-dir", fresh, crate]);
  const module = join(fresh, `${name}_bg.wasm`);
  if (optimiser !== undefined) {
    run(optimiser, [optimisation, module, "-o", `${module}.small`]);
    renameSync(`${module}.small`, module);
  }
  return module;
}
const module = bind(compiled, "mps", "-Oz");
bind(scanner, "mps_scanner", "-O3");
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
run(process.execPath, [tsc, "--project", join(root, "tsconfig.json"), "--outDir", fresh]);
for (const types of ["mps.d.ts", "mps_base64.d.ts", "mps_scanner.d.ts"]) copyFileSync(join(root, "src", types), join(fresh, types));
const base64 = readFileSync(module).toString("base64");
writeFileSync(join(fresh, "mps_base64.js"), `// The module as text, for the inline entry.\nexport const base64 = "${base64}";\n`);

/** The scripts that package.json names, and what they share, in a few files: Node.js and pages load each file by itself. */
async function bundle() {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const targets = Object.values(exports).flatMap((target) => (typeof target === "object" ? Object.values(target) : []));
  const names = [...new Set(targets)].filter((target) => target.endsWith(".js")).map((target) => target.replace("./dist/", ""));
  // The tests of zeroed memory reach for the glue.
  const entryPoints = [...names, "mps.js"].map((name) => join(fresh, name));
  const scripts = readdirSync(fresh).filter((name) => name.endsWith(".js"));
  const options = { bundle: true, splitting: true, format: "esm", target: "es2022", external: ["node:*", "*.wasm"], logLevel: "warning" };
  await build({ entryPoints, ...options, outdir: join(aside, "bundled") });
  for (const name of scripts) rmSync(join(fresh, name));
  for (const name of readdirSync(join(aside, "bundled"))) {
    const script = readFileSync(join(aside, "bundled", name), "utf8");
    // An import of nothing is there for what it does, and ours do nothing: bundlers warn of it.
    writeFileSync(join(fresh, name), script.replaceAll(/^import "\.\/chunk-\w+\.js";\n/gm, ""));
  }
}
await bundle();

if (existsSync(dist)) renameSync(dist, join(aside, "former"));
renameSync(fresh, dist);
rmSync(aside, { recursive: true });
// npm packs what lies in the package's folder only.
for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(join(root, "..", name), join(root, name));
console.log(`pkg/dist: the module has ${statSync(join(dist, "mps_bg.wasm")).size} bytes`);
