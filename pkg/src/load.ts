// Starting the module once, whoever asks and however often.

import start from "./mps.js";
import type { WasmSource } from "./types.js";

let starting: Promise<void> | undefined;
let isStarted = false;

/** Starts the module; after a failure the next call tries anew. */
export function load(source: () => WasmSource | Promise<WasmSource>): Promise<void> {
  starting ??= startFrom(source).catch((error: unknown) => {
    starting = undefined;
    throw error;
  });
  return starting;
}

/** Says plainly what a call before `init()` lacks. */
export function checkStarted(): void {
  if (!isStarted) throw new Error("@mps/sdk: await init() before the first call");
}

async function startFrom(source: () => WasmSource | Promise<WasmSource>): Promise<void> {
  await start({ module_or_path: await source() });
  isStarted = true;
}
