// load.ts for the script entry, in whose place build_script.mjs puts it: the core is a script, so nothing is compiled or fetched, and the first
// call can start it.

import * as glue from "./mps_script.js";
import { type Core, Trap, instantiate } from "./mps_translated.js";
import { isOne, mpsErrorOf } from "./thrown.js";

let core: Core | undefined;

/** Starts the core, once. */
export function checkStarted(): void {
  if (core !== undefined) return;
  try {
    const fresh = instantiate(glue);
    glue.__wbg_set_wasm(fresh);
    fresh.__wbindgen_start();
    core = fresh;
  } catch (error) {
    throw mpsErrorOf(error, "INTERNAL");
  }
}

/** Whether the core broke off in the middle: what is of a bug, and no refusal. */
export function isTrap(error: unknown): boolean {
  return isOne(error, Trap);
}
