// The core as a script, for runtimes without WebAssembly: the compiled crate, bound for a script's reach and translated by binaryen's wasm2js.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** What JavaScript has nothing for: wasm-bindgen then hands objects over by their number and several results by memory. */
const withheld = ["reference-types", "multivalue"];
/** What wasm2js knows of itself no more than the first WebAssembly did. */
const lowering = ["--llvm-memory-copy-fill-lowering", "--llvm-nontrapping-fptoint-lowering", "--signext-lowering"];
const features = ["bulk-memory", "nontrapping-float-to-int", "sign-ext", "mutable-globals"].map((name) => `--enable-${name}`);

/** The text with a piece of the tools' own replaced: when a new version writes it otherwise, we want to know. */
function replacedOnce(text, piece, replacement) {
  const [before, behind, ...more] = text.split(piece);
  if (behind === undefined || more.length > 0) throw new Error(`pkg/build_script.mjs: expected once in what was generated: ${piece}`);
  return before + replacement + behind;
}

/** The crate with features said to be unused, in its section `target_features`: a sign, the length of the name, the name. */
function withholding(crate) {
  const bytes = readFileSync(crate);
  for (const name of withheld) {
    const used = Buffer.from(`+${String.fromCharCode(name.length)}${name}`);
    const at = bytes.indexOf(used);
    if (at < 0 || bytes.indexOf(used, at + 1) >= 0) throw new Error(`pkg/build_script.mjs: ${crate} does not say once that it uses ${name}`);
    bytes[at] = "-".charCodeAt(0);
  }
  return bytes;
}

/** The glue, which in WebAssembly sees by its views being emptied that the memory has grown. Here the buffer is another one. */
function fittedGlue(glue) {
  const bytes = replacedOnce(glue, "cachedUint8ArrayMemory0.byteLength === 0", "cachedUint8ArrayMemory0.buffer !== wasm.memory.buffer");
  const changed = "cachedDataViewMemory0.buffer.detached === true || (cachedDataViewMemory0.buffer.detached === undefined && cachedDataViewMemory0.buffer !== wasm.memory.buffer)";
  return replacedOnce(bytes, changed, "cachedDataViewMemory0.buffer !== wasm.memory.buffer");
}

/** Below this number the glue's objects are its own constants, which a drop leaves alone. The crate, compiled for references, asks for it. */
function reservedOf(glue) {
  const [, reserved] = /function dropObject\(idx\) \{\s+if \(idx < (\d+)\) return;/.exec(glue) ?? [];
  if (reserved === undefined) throw new Error("pkg/build_script.mjs: the glue drops objects in another way");
  return reserved;
}

/** What wasm2js wrote, as a function that makes an instance. */
function fittedModule(script, reserved) {
  const imports = /^import \* as \S+ from '\S+';$/gm;
  const names = [...script.matchAll(imports)].map(([line]) => line.split("'")[1]);
  if (names.join(" ") !== "__wbindgen_externref_xform__ ./mps_bg.js") throw new Error(`pkg/build_script.mjs: wasm2js imports ${names.join(" ")}`);
  const [translated, exported] = script.replaceAll(imports, "").split("\nvar retasmFunc = asmFunc(");
  if (exported === undefined) throw new Error("pkg/build_script.mjs: wasm2js starts its module in another way");
  let text = replacedOnce(translated, "throw new Error('abort');", "throw new Trap('unreachable');");
  // Memory that cannot be had is told to the allocator. What the former memory held may be a secret, and nobody zeroes it later.
  text = replacedOnce(text, "var newBuffer = new ArrayBuffer(newPages << 16);", "var newBuffer; try { newBuffer = new ArrayBuffer(newPages * 65536); } catch { return -1; }");
  text = replacedOnce(text, "newHEAP8.set(HEAP8);", "newHEAP8.set(HEAP8); HEAP8.fill(0);");
  return `// Written by build_script.mjs: crates/wasm, translated by wasm2js.
export class Trap extends Error {}
export function instantiate(glue) {${text}
return asmFunc({ "./mps_bg.js": glue, "__wbindgen_externref_xform__": { __wbindgen_externref_statics_end: () => ${reserved} } });
}
`;
}

/** Writes mps_script.js, the glue, and mps_translated.js, the module, to `folder`. */
export async function translate({ crate, aside, folder, run, bindgen, optimiser, translator }) {
  const within = join(aside, "script");
  mkdirSync(within);
  const [withheldCrate, module, lowered, script] = ["mps.wasm", "mps_bg.wasm", "lowered.wasm", "translated.js"].map((name) => join(within, name));
  writeFileSync(withheldCrate, withholding(crate));
  await run(bindgen, ["--target", "bundler", "--no-typescript", "--out-name", "mps", "--out-dir", within, withheldCrate]);
  await run(optimiser, [...features, ...lowering, module, "-o", lowered]);
  await run(translator, ["-Oz", lowered, "-o", script]);
  const glue = readFileSync(join(within, "mps_bg.js"), "utf8");
  writeFileSync(join(folder, "mps_script.js"), fittedGlue(glue));
  writeFileSync(join(folder, "mps_translated.js"), fittedModule(readFileSync(script, "utf8"), reservedOf(glue)));
}

/** What the script entry has in place of the glue and of its start. */
const stands = { "mps.js": "mps_script.js", "load.js": "load_script.js" };

/**
 * The entry and all it imports that reaches the glue, once more and around the translated module. Everything else, as the classes of errors, is
 * what the other entries have. Gives the entry's path.
 */
export function aroundTranslated(folder) {
  const copies = join(folder, "around_translated");
  mkdirSync(copies);
  const textOf = (name) => readFileSync(join(folder, name), "utf8");
  const imports = /(?<= from ")\.\/([^"]+)(?=")/g;
  const reaching = new Map();
  const reaches = (name) => {
    if (Object.hasOwn(stands, name)) return true;
    if (!reaching.has(name)) {
      reaching.set(name, false);
      reaching.set(name, [...textOf(name).matchAll(imports)].some(([, imported]) => reaches(imported)));
    }
    return reaching.get(name);
  };
  const copied = new Set();
  const copy = (name) => {
    if (copied.has(name)) return;
    copied.add(name);
    const text = textOf(name).replaceAll(imports, (_, imported) => {
      if (Object.hasOwn(stands, imported)) return `../${stands[imported]}`;
      if (!reaches(imported)) return `../${imported}`;
      copy(imported);
      return `./${imported}`;
    });
    writeFileSync(join(copies, basename(name)), text);
  };
  copy("script.js");
  return join(copies, "script.js");
}
