// Starting the module once, whoever asks and however often.

import start from "./mps.js";
import type { WasmSource } from "./types.js";

let starting: Promise<void> | undefined;
let isStarted = false;

/** Starts the module; after a failure the next call tries anew. */
export function load(source: () => WasmSource | Promise<WasmSource> | undefined): Promise<void> {
  starting ??= startWith(source()).catch((error: unknown) => {
    starting = undefined;
    throw error;
  });
  return starting;
}

/** Says plainly what a call before `init()` lacks. */
export function checkStarted(): void {
  if (!isStarted) throw new Error("@mps/sdk: await init() before the first call");
}

async function startWith(source: WasmSource | Promise<WasmSource> | undefined): Promise<void> {
  await start(source === undefined ? undefined : { module_or_path: source });
  isStarted = true;
}
