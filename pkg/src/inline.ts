// The entry with the module inside: nothing is fetched and no file is read. For servers, wherever their bundler puts the script; for pages
// under a strict policy, for WebViews whose scheme serves no WebAssembly, for tools that know scripts only. It weighs a third more.

import { bytesOf } from "./base64.js";
import { load } from "./load.js";
import { base64 } from "./mps_base64.js";
import type { WasmSource } from "./types.js";

export * from "./index.js";

export function init(source?: WasmSource): Promise<void> {
  return load(source, () => bytesOf(base64));
}
