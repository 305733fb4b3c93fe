// What wasm-bindgen writes to dist/mps_scanner.js out of crates/scanner.

import type { WasmSource } from "./types.js";

export function readFrame(rgba: Uint8Array, width: number, height: number): string[];
export default function start(source?: { module_or_path: WasmSource | Promise<WasmSource> }): Promise<unknown>;
