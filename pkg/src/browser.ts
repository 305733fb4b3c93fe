// The entry for browsers and bundlers: the module is fetched from beside the script.

import { load } from "./load.js";
import type { WasmSource } from "./types.js";

export * from "./index.js";

export function init(source?: WasmSource): Promise<void> {
  return load(source, () => new URL("./mps_bg.wasm", import.meta.url));
}
