// Whether this runtime has WebAssembly: a page in a browser's lockdown mode has none.

import { Unexpected } from "./errors.js";
import { isOne } from "./thrown.js";

/** Throws NOT_CONFIGURED, saying so, where there is none. */
export function checkWebAssembly(): void {
  if (has() !== undefined) return;
  const error = new Unexpected("NOT_CONFIGURED", { params: { what: "WebAssembly" } });
  error.message = "NOT_CONFIGURED: there is no WebAssembly here, as in a browser's lockdown mode; @mps/sdk/script, client and supabase do without";
  throw error;
}

/** Whether the module broke off in the middle: what is of a bug, and no refusal. */
export function isTrap(error: unknown): boolean {
  return isOne(error, has()?.RuntimeError);
}

/** Whether these bytes are no module that this runtime can start. */
export function isBrokenModule(error: unknown): boolean {
  return isOne(error, has()?.CompileError) || isOne(error, has()?.LinkError);
}

function has(): typeof WebAssembly | undefined {
  return (globalThis as { WebAssembly?: typeof WebAssembly }).WebAssembly;
}
