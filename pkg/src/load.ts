// Starting the module once, whoever asks and however often.

import { type MpsError, Unexpected, errorOf } from "./errors.js";
import start, { initSync as startAtOnce } from "./mps.js";
import { mpsErrorOf } from "./thrown.js";
import type { WasmSource } from "./types.js";

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
  try {
    const source = given === undefined ? await own() : await moduleOf(given);
    // The other way asks for `Response`, and Node.js loads all of its fetch to answer: several times what the module itself takes.
    if (given === undefined && source instanceof WebAssembly.Module) startAtOnce({ module: source });
    else await start({ module_or_path: source });
  } catch (error) {
    throw given === undefined ? ownFailure(error) : mpsErrorOf(error, "MALFORMED_ARGUMENT");
  }
  isStarted = true;
}

/** A module that is this package's. Another one must not even be started: the glue would keep it. */
async function moduleOf(given: WasmSource): Promise<WebAssembly.Module> {
  const source: unknown = given;
  const answer = isAddress(source) ? await coming(fetch(source)) : source;
  if (answer instanceof Response && !answer.ok) throw errorOf("UNAVAILABLE");
  const bytes = answer instanceof Response ? await coming(answer.arrayBuffer()) : answer;
  const module = bytes instanceof WebAssembly.Module ? bytes : await WebAssembly.compile(bytes as BufferSource);
  const names = WebAssembly.Module.exports(module).map(({ name }) => name);
  if (!["__wbindgen_start", "parsePaymentCode"].every((name) => names.includes(name))) throw errorOf("MALFORMED_ARGUMENT");
  return module;
}

function isAddress(source: unknown): source is string | URL | Request {
  return typeof source === "string" || source instanceof URL || source instanceof Request;
}

function coming<T>(work: Promise<T>): Promise<T> {
  return work.catch((cause: unknown) => {
    throw errorOf("UNAVAILABLE", { cause });
  });
}

/** The package's own module: a broken one is a bug, one that did not come is not. */
function ownFailure(cause: unknown): MpsError {
  const isBroken = cause instanceof WebAssembly.CompileError || cause instanceof WebAssembly.LinkError;
  return errorOf(isBroken ? "INTERNAL" : "UNAVAILABLE", { cause });
}
