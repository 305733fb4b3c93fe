// Builds dist/ from the compiled crate: `node build.mjs <path of mps_wasm.wasm> <path of mps_scanner.wasm>`.
// WASM_BINDGEN_BIN: wasm-bindgen of the very version in Cargo.lock. WASM_OPT_BIN: binaryen's wasm-opt, with its wasm2js beside it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build, transform } from "esbuild";

import { aroundTranslated, translate } from "./build_script.mjs";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "dist");

const [, , compiled, scanner] = process.argv;
const { WASM_BINDGEN_BIN: bindgen, WASM_OPT_BIN: optimiser } = process.env;
if (scanner === undefined || bindgen === undefined || optimiser === undefined) {
  console.error("pkg/build.mjs: give the paths of mps_wasm.wasm and mps_scanner.wasm and set WASM_BINDGEN_BIN and WASM_OPT_BIN; `cargo xtask build` does both");
  process.exit(2);
}
const translator = join(dirname(optimiser), "wasm2js");
if (!existsSync(translator)) {
  console.error(`pkg/build.mjs: there is no wasm2js beside wasm-opt, at ${translator}; binaryen's npm package has both`);
  process.exit(2);
}

async function run(program, args) {
  const child = spawn(program, args, { stdio: "inherit", cwd: root });
  const [code, signal] = await once(child, "exit");
  if (code !== 0) throw new Error(`pkg/build.mjs: ${program} ended with ${signal ?? code}`);
}

// Built aside and moved in whole, so that a server or a second build never meets half of it.
const target = join(root, "..", "target");
mkdirSync(target, { recursive: true });
const aside = mkdtempSync(join(target, "pkg-"));
const fresh = join(aside, "dist");
mkdirSync(fresh);
/** A crate as a module and its glue; gives the module's path. */
async function bind(crate, name, optimisation) {
  await run(bindgen, ["--target", "web", "--no-typescript", "--omit-default-module-path", "--out-name", name, "--out-dir", fresh, crate]);
  const module = join(fresh, `${name}_bg.wasm`);
  await run(optimiser, [optimisation, module, "-o", `${module}.small`]);
  renameSync(`${module}.small`, module);
  return module;
}
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
// Side by side: each of them keeps one processor busy, the translation longest.
const [, module, scannerModule] = await Promise.all([
  translate({ crate: compiled, aside, folder: fresh, run, bindgen, optimiser, translator }),
  bind(compiled, "mps", "-Oz"),
  bind(scanner, "mps_scanner", "-O3"),
  run(process.execPath, [tsc, "--project", join(root, "tsconfig.json"), "--outDir", fresh]),
]);
const written = ["mps", "mps_base64", "mps_scanner", "mps_scanner_base64", "mps_script", "mps_translated"];
for (const types of written.map((name) => `${name}.d.ts`)) copyFileSync(join(root, "src", types), join(fresh, types));
for (const [name, path] of [["mps", module], ["mps_scanner", scannerModule]]) {
  const base64 = readFileSync(path).toString("base64");
  writeFileSync(join(fresh, `${name}_base64.js`), `// The module as text, for the inline entries.\nexport const base64 = "${base64}";\n`);
}

const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
/** What an entry has under this condition, or under those within it. */
const targetsOf = (entry) => (typeof entry === "object" ? Object.values(entry).flatMap(targetsOf) : [entry]);
const isScript = (target) => target.endsWith(".js");

/** The scripts that package.json names, and what they share, in a few files: Node.js and pages load each file by itself. */
async function bundle() {
  const names = [...new Set(targetsOf(exports))].filter((target) => isScript(target) && !target.includes("/cjs/"));
  const script = aroundTranslated(fresh);
  // The tests of zeroed memory reach for the glue and, of the script, for the module.
  const outs = [...names.map((name) => name.replace("./dist/", "")), "mps.js", "mps_script.js", "mps_translated.js"];
  const entryPoints = outs.map((name) => ({ in: name === "script.js" ? script : join(fresh, name), out: name.replace(/\.js$/, "") }));
  const scripts = readdirSync(fresh).filter(isScript);
  const external = ["node:*", "*.wasm", "*.wasm?module"];
  const options = { bundle: true, splitting: true, format: "esm", target: "es2022", external, inject: [join(fresh, "texts.js")], logLevel: "warning" };
  const { metafile } = await build({ entryPoints, ...options, outdir: join(aside, "bundled"), metafile: true });
  for (const name of scripts) rmSync(join(fresh, name));
  rmSync(dirname(script), { recursive: true });
  const isTranslation = ([, { inputs }]) => Object.keys(inputs).some((input) => basename(input) === "mps_translated.js");
  const translations = Object.entries(metafile.outputs).filter(isTranslation).map(([output]) => basename(output));
  for (const name of readdirSync(join(aside, "bundled"))) {
    const script = readFileSync(join(aside, "bundled", name), "utf8");
    // An import of nothing is there for what it does, and ours do nothing: bundlers warn of it.
    const plain = script.replaceAll(/^import "\.\/chunk-\w+\.js";\n/gm, "");
    writeFileSync(join(fresh, name), translations.includes(name) ? (await transform(plain, { minify: true })).code : plain);
  }
  return translations;
}
/** Nobody reads the translation, and minified it is half as long. */
const translations = await bundle();

/** The same scripts for `require`, file by file, so that an error's class is one for all entries; the types beside them are CommonJS's by package.json. */
async function commonJs() {
  const cjs = join(aside, "cjs");
  cpSync(fresh, cjs, { recursive: true, filter: (path) => !path.endsWith(".wasm") && !isScript(path) });
  writeFileSync(join(cjs, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
  const waiting = [...new Set(targetsOf(exports))].filter((target) => isScript(target) && target.includes("/cjs/")).map((target) => target.replace("./dist/cjs/", ""));
  const done = new Set();
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (done.has(name)) continue;
    done.add(name);
    const script = readFileSync(join(fresh, name), "utf8");
    const { code } = await transform(script, { format: "cjs", target: "es2022", minify: translations.includes(name) });
    writeFileSync(join(cjs, name), code);
    waiting.push(...[...script.matchAll(/from ?"\.\/(chunk-\w+\.js)"/g)].map(([, chunk]) => chunk));
  }
  renameSync(cjs, join(fresh, "cjs"));
}
await commonJs();

/** Folders of the entries' names, for tools that know no `exports`. */
for (const [name, entry] of Object.entries(exports).filter(([name, entry]) => name !== "." && typeof entry === "object")) {
  const folder = join(root, name);
  const up = name.split("/").slice(1).map(() => "..").join("/");
  mkdirSync(folder, { recursive: true });
  const [types, main, module] = [entry.types, entry.require.default, entry.default].map((target) => target.replace(".", up));
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ main, module, types, sideEffects: false }, undefined, 2)}\n`);
}

if (existsSync(dist)) renameSync(dist, join(aside, "former"));
renameSync(fresh, dist);
rmSync(aside, { recursive: true });
// npm packs what lies in the package's folder only.
for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(join(root, "..", name), join(root, name));
console.log(`pkg/dist: the module has ${statSync(join(dist, "mps_bg.wasm")).size} bytes`);
