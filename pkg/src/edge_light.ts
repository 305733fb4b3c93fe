// The entry for edge-light (Next.js and Vercel at the edge): the module comes compiled as for Workers, where it is asked for so.

import compiled from "./mps_bg.wasm?module";

import { load } from "./load.js";
import type { WasmSource } from "./types.js";

export * from "./index.js";

export function init(source?: WasmSource): Promise<void> {
  return load(source, () => compiled);
}
