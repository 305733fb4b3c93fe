// From where a module comes to its being started, for both modules of this package.

import { type MpsError, errorOf } from "./errors.js";
import { isBrokenModule } from "./web_assembly.js";

/** What wasm-bindgen makes of a crate, as far as it starts. */
interface Glue {
  default(source: { module_or_path: WebAssembly.Module }): Promise<unknown>;
  initSync(source: { module: WebAssembly.Module }): unknown;
}

/**
 * The module of a source. It is fetched here and not by the glue, which would have every later start wait for a fetch that hangs. Throws
 * UNAVAILABLE with the `file` that did not come, INTERNAL with the one that is no module.
 */
export async function moduleOf(source: unknown): Promise<WebAssembly.Module> {
  if (isModule(source)) return source as WebAssembly.Module;
  // Before the looks at `Request` and `Response`, for which Node.js loads all of its fetch.
  if (ArrayBuffer.isView(source)) return WebAssembly.compile(source as BufferSource);
  if (isAddress(source)) {
    const file = typeof source === "object" && "url" in source ? source.url : String(source);
    try {
      return await moduleOf(await fetch(source));
    } catch (cause) {
      throw notThere(file, cause);
    }
  }
  if (!isResponse(source)) return WebAssembly.compile(source as BufferSource);
  if (!source.ok) throw errorOf("UNAVAILABLE", { cause: new Error(`status ${source.status}`) });
  // A WebView's scheme, or a plain server, may not know the type.
  const isKnown = source.headers.get("Content-Type") === "application/wasm" && typeof WebAssembly.compileStreaming === "function";
  return isKnown ? WebAssembly.compileStreaming(source) : WebAssembly.compile(await source.arrayBuffer());
}

/** Starts a module of ours. */
export async function startModule(glue: Glue, module: WebAssembly.Module): Promise<void> {
  // On a page's own thread old Chrome starts nothing of this size at once. Elsewhere that spares a look at `Response`.
  // And what another realm compiled, as at Next.js' edge, the glue takes for bytes there.
  if ("document" in globalThis || !(module instanceof WebAssembly.Module)) await glue.default({ module_or_path: module });
  else glue.initSync({ module });
}

function isModule(source: unknown): boolean {
  return source instanceof WebAssembly.Module || Object.prototype.toString.call(source) === "[object WebAssembly.Module]";
}

export function isAddress(source: unknown): source is string | URL | Request {
  if (typeof source === "string") return true;
  return typeof source === "object" && (source instanceof URL || (typeof Request === "function" && source instanceof Request));
}

export function isResponse(source: unknown): source is Response {
  return typeof source === "object" && typeof Response === "function" && source instanceof Response;
}

/** Says which file it is: what a bundler did not copy beside the script is the usual reason. */
function notThere(file: string, cause: unknown): MpsError {
  const error = errorOf(isBrokenModule(cause) ? "INTERNAL" : "UNAVAILABLE", { params: { file }, cause });
  error.message = `${error.code}: there is no module at ${file}; where a bundler does not copy it there, import the inline entry`;
  return error;
}
