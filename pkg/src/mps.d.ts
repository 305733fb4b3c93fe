// What wasm-bindgen writes to dist/mps.js out of crates/wasm, with the types of the plain objects that cross over.

import type {
  CodeInspection,
  PriceQuote,
  RefundPreview,
  Standing,
} from "./types.js";

export function quote(request: object): PriceQuote;
export function quotePlain(cardType: number, rawAmount: string, points: number, fixedDiscount: string | undefined): number;
export function quotedPart(which: number): number;
export function refundPreview(request: object): RefundPreview;
export function parsePrice(text: string): string;
export function parsePaymentCode(text: string): CodeInspection;
export function levelFor(points: number, levels?: readonly object[]): Standing;
export function pointsFor(rawAmount: string): number;
export function offlineCode(handle: string, deviceKey: string, unixSeconds: number, terminal?: string): string;
export function qrPath(text: string): string;
export function qrModules(text: string): Uint8Array;
export function barcodeWidths(text: string): Uint8Array;
export function initSync(source: { module: WebAssembly.Module }): unknown;
export default function start(source: { module_or_path: WebAssembly.Module }): Promise<unknown>;
