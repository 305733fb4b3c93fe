// The core's functions: WebAssembly's own, with its refusals as MpsError. Call `init()` once before any of them.

import { MpsError, errorOf } from "./errors.js";
import * as wasm from "./mps.js";
import { plainQuote } from "./plain_quote.js";
import { fieldsOf, listOf, refusing, textOf } from "./refusing.js";
import type {
  CodeInspection,
  Level,
  PriceQuote,
  QuoteRequest,
  RefundPreview,
  RefundPreviewRequest,
  Standing,
} from "./types.js";

/** More prices than anybody asks for at once. */
const batchMax = 1_000_000;

/** What a payment costs and earns. Throws INVALID_PRICE, MALFORMED_ARGUMENT. */
export function quote(request: QuoteRequest): PriceQuote {
  return refusing(() => plainQuote(request) ?? wasm.quote(copyOf(request)));
}

/** As `quote` for each, in order. Throws what the first refused one would. */
export function quoteBatch(requests: readonly QuoteRequest[]): PriceQuote[] {
  return refusing(() => {
    if (!Array.isArray(requests) || requests.length > batchMax) throw errorOf("MALFORMED_ARGUMENT");
    return Array.from(requests as readonly QuoteRequest[], (request) => plainQuote(request) ?? wasm.quote(copyOf(request)));
  });
}

/**
 * What one more refund of a payment would leave and take. Throws INVALID_REFUND_AMOUNT, REFUND_EXCEEDS_REMAINING,
 * MALFORMED_ARGUMENT.
 */
export function refundPreview(request: RefundPreviewRequest): RefundPreview {
  const names = ["cardType", "finalAmount", "pointsEarned", "amount", "pointsLeft", "refundedBefore", "pointsTakenBefore"];
  return refusing(() => wasm.refundPreview(fieldsOf(request, names)));
}

/** A price as every room shows it, with two decimals: "7.5" → "7.50". Throws INVALID_PRICE. */
export function parsePrice(text: string): string {
  return refusing(() => wasm.parsePrice(textOf(text, "INVALID_PRICE")));
}

/** What a payment code says about itself. Throws INVALID_QR when the text is none. */
export function parsePaymentCode(text: string): CodeInspection {
  return refusing(() => wasm.parsePaymentCode(textOf(text, "INVALID_QR")));
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
  return refusing(() => wasm.levelFor(points, listOf(levels, levelFields) ?? undefined));
}

/** The points a payment of this raw amount earns on a card that earns, unless nothing is paid. Throws INVALID_PRICE. */
export function pointsFor(rawAmount: string): number {
  return refusing(() => wasm.pointsFor(textOf(rawAmount, "INVALID_PRICE")));
}

const levelFields = ["level", "name", "pointsMin", "pointsMax", "discount"];

/** A plain copy of a request. */
function copyOf(request: QuoteRequest): object {
  const fields = fieldsOf(request, ["cardType", "rawAmount", "points", "fixedDiscount"]);
  const { corporateDiscounts, levels } = request;
  return {
    ...fields,
    corporateDiscounts: listOf(corporateDiscounts, ["cardNo", "discount"]),
    levels: listOf(levels, levelFields),
  };
}
