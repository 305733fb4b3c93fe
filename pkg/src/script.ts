// The entry whose core is a script too, the same one translated: for pages in a browser's lockdown mode and WebViews without WebAssembly. It weighs
// a third more than the main entry, and what it computes takes longer.

import { checkStarted } from "./load_script.js";
import type { WasmSource } from "./types.js";

export * from "./index.js";

/** There is nothing to wait for, nor to take from elsewhere: a source that is given counts for nothing. */
// eslint-disable-next-line @typescript-eslint/require-await -- what the start throws is the promise's
export async function init(_source?: WasmSource): Promise<void> {
  checkStarted();
}
