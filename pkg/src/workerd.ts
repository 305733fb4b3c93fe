// The entry for Workers (workerd, Cloudflare, edge-light): they compile no bytes at run time, so the module comes compiled.

import compiled from "./mps_bg.wasm";

import { load } from "./load.js";
import type { WasmSource } from "./types.js";

export * from "./index.js";

export function init(source?: WasmSource): Promise<void> {
  return load(source, () => compiled);
}
