// Starting the module once, whoever asks and however often.

import { type MpsError, Unexpected, errorOf } from "./errors.js";
import { isAddress, isResponse, moduleOf, startModule } from "./modules.js";
import * as glue from "./mps.js";
import { mpsErrorOf } from "./thrown.js";
import type { WasmSource } from "./types.js";
import { checkWebAssembly, isBrokenModule } from "./web_assembly.js";

export { isTrap } from "./web_assembly.js";

let starting: Promise<void> | undefined;
let isStarted = false;

/** Starts the module from where the caller or else the entry says; after a failure the next call tries anew. */
export function load(given: WasmSource | undefined, own: () => WasmSource | Promise<WasmSource>): Promise<void> {
  starting ??= startFrom(given, own).catch((error: unknown) => {
    starting = undefined;
    throw error;
  });
  return starting;
}

/** Says plainly what a call before `init()` lacks. */
export function checkStarted(): void {
  if (isStarted) return;
  const error = new Unexpected("NOT_CONFIGURED", { params: { what: "init" } });
  error.message = "NOT_CONFIGURED: await init() before the first call of @mps/sdk";
  throw error;
}

async function startFrom(given: WasmSource | undefined, own: () => WasmSource | Promise<WasmSource>): Promise<void> {
  checkWebAssembly();
  try {
    await startModule(glue, given === undefined ? await moduleOf(await own()) : await givenModule(given));
  } catch (error) {
    throw given === undefined ? ownFailure(error) : mpsErrorOf(error, "MALFORMED_ARGUMENT");
  }
  isStarted = true;
}

/** A module that is this package's. Another one must not even be started: the glue would keep it. */
async function givenModule(given: WasmSource): Promise<WebAssembly.Module> {
  const source: unknown = given;
  const module = await moduleOf(source).catch((cause: unknown) => {
    const isFetched = isAddress(source) || isResponse(source);
    throw isBrokenModule(cause) ? errorOf("MALFORMED_ARGUMENT", { cause }) : mpsErrorOf(cause, isFetched ? "UNAVAILABLE" : "MALFORMED_ARGUMENT");
  });
  const names = WebAssembly.Module.exports(module).map(({ name }) => name);
  if (!["__wbindgen_start", "parsePaymentCode"].every((name) => names.includes(name))) throw errorOf("MALFORMED_ARGUMENT");
  return module;
}

/** The package's own module: a broken one is a bug, one that did not come is not. */
function ownFailure(cause: unknown): MpsError {
  return mpsErrorOf(cause, isBrokenModule(cause) ? "INTERNAL" : "UNAVAILABLE");
}
