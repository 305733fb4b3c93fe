// What both entries give; browser.ts and node.ts add `init`, which finds the module where they run.

import type { WasmSource } from "./types.js";

export * from "./core.js";
export * from "./errors.js";
export * from "./offline.js";
export { type ErrorCode, errorCatalogue } from "./generated/errors.js";
export { limits } from "./generated/limits.js";
export type { WaitOptions } from "./patience.js";
export { barcodeSvg, drawQr, qrMatrix, qrPng, qrSvg } from "./picture.js";
export { type AmountInput, type AmountInputOptions, type AmountRefusal, type CodeInput, parseAmountInput, parseCodeInput } from "./typed.js";
export type * from "./types.js";

/**
 * Loads the core, once; further calls wait for the same. Without a source it takes the module that comes with the
 * package: by its address in a browser, out of the script on servers. `@mps/sdk/script` has nothing to load, and takes no source.
 */
export declare function init(source?: WasmSource): Promise<void>;
