// The entry for Node: the module is read from the package's own folder.

import { readFile } from "node:fs/promises";

import { load } from "./load.js";
import type { WasmSource } from "./types.js";

export * from "./index.js";

export function init(source?: WasmSource): Promise<void> {
  return load(source, async () => WebAssembly.compile(await readFile(new URL("./mps_bg.wasm", import.meta.url))));
}
