// What wasm-bindgen writes to dist/mps_scanner.js out of crates/scanner.

export function readFrame(rgba: Uint8Array, width: number, height: number): { text: string; format: "qr_code" | "code_128" }[];
export function initSync(source: { module: WebAssembly.Module }): unknown;
export default function start(source: { module_or_path: WebAssembly.Module }): Promise<unknown>;
