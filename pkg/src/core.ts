// The core's functions: WebAssembly's own, with its refusals as MpsError. Call `init()` once before any of them.

import { MpsError, errorOf } from "./errors.js";
import { checkStarted } from "./load.js";
import * as wasm from "./mps.js";
import { lineOf, quotesOf } from "./quote_lines.js";
import type {
  CodeInspection,
  Level,
  PriceQuote,
  QrMatrix,
  QrOptions,
  QuoteRequest,
  RefundPreview,
  RefundPreviewRequest,
  Standing,
} from "./types.js";

/** What a payment costs and earns. Throws INVALID_PRICE, MALFORMED_ARGUMENT. */
export function quote(request: QuoteRequest): PriceQuote {
  checkStarted();
  const line = lineOf(request);
  const quoted = line === undefined ? undefined : quotesOf(wasm.quoteLines(line), 1)?.[0];
  return quoted ?? refusing(() => wasm.quote(request));
}

/** As `quote` for each, in order, in one call of the module where it can be. Throws what the first refused one would. */
export function quoteBatch(requests: readonly QuoteRequest[]): PriceQuote[] {
  checkStarted();
  const lines: string[] = [];
  for (const request of requests) {
    const line = lineOf(request);
    if (line === undefined) break;
    lines.push(line);
  }
  const isPlain = lines.length > 0 && lines.length === requests.length;
  const quoted = isPlain ? quotesOf(wasm.quoteLines(lines.join("\n")), lines.length) : undefined;
  return quoted ?? requests.map(quote);
}

/**
 * What one more refund of a payment would leave and take. Throws INVALID_REFUND_AMOUNT, REFUND_EXCEEDS_REMAINING,
 * MALFORMED_ARGUMENT.
 */
export function refundPreview(request: RefundPreviewRequest): RefundPreview {
  return refusing(() => wasm.refundPreview(request));
}

/** A price as every room shows it, with two decimals: "7.5" → "7.50". Throws INVALID_PRICE. */
export function parsePrice(text: string): string {
  return refusing(() => wasm.parsePrice(text));
}

/** What a payment code says about itself. Throws INVALID_QR when the text is none. */
export function parsePaymentCode(text: string): CodeInspection {
  return refusing(() => wasm.parsePaymentCode(text));
}

/** As `parsePaymentCode`, for text that is still being typed: null when it is no payment code (yet). */
export function inspectPaymentCode(text: string): CodeInspection | null {
  try {
    return parsePaymentCode(text);
  } catch (error) {
    if (error instanceof MpsError && error.code === "INVALID_QR") return null;
    throw error;
  }
}

/** The level of so many points and the way to the next, by the house's levels or those given. Throws MALFORMED_ARGUMENT. */
export function levelFor(points: number, levels?: readonly Level[]): Standing {
  return refusing(() => wasm.levelFor(points, levels));
}

/** The points a payment of this raw amount earns on a card that earns, unless nothing is paid. Throws INVALID_PRICE. */
export function pointsFor(rawAmount: string): number {
  return refusing(() => wasm.pointsFor(rawAmount));
}

/** A payment code as an SVG document with its quiet zone; it scales to its box. Throws INVALID_QR, MALFORMED_ARGUMENT. */
export function qrSvg(text: string, options?: QrOptions): string {
  return refusing(() => wasm.qrSvg(text, options));
}

/** A payment code as modules, to draw it yourself. Throws INVALID_QR. */
export function qrMatrix(text: string): QrMatrix {
  const modules = refusing(() => wasm.qrModules(text));
  return { size: Math.sqrt(modules.length), modules };
}

function refusing<T>(call: () => T): T {
  checkStarted();
  try {
    return call();
  } catch (error) {
    const code = codeOf(error);
    throw code === undefined ? error : errorOf(code, { cause: error });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
