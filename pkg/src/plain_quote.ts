// A quote that crosses into WebAssembly as numbers: they cost less to hand over than texts, and texts less than objects. What is not
// plain takes the way of objects, which says what is wrong with it.

import * as wasm from "./mps.js";
import type { CardType, DiscountSource, PriceQuote, QuoteRequest } from "./types.js";

// In the order in which the module counts them.
const cardTypes: readonly unknown[] = ["standard", "prepaid", "corporate", "voucher"] satisfies CardType[];
const sources = ["level", "card", "corporate", "none"] as const satisfies DiscountSource[];

/** Longer than any amount or multiplier. */
const charsMax = 32;

/** The quote; none when the request has levels or corporate discounts of its own, or is refused. */
export function plainQuote(request: QuoteRequest): PriceQuote | undefined {
  // Callers without a compiler send anything.
  const fields: Partial<Record<keyof QuoteRequest, unknown>> | null | undefined = request;
  if (fields === null || fields === undefined) return undefined;
  const { cardType, rawAmount, corporateDiscounts, levels } = fields;
  const points = fields.points ?? 0;
  const discount = fields.fixedDiscount ?? undefined;
  if ((corporateDiscounts ?? levels ?? undefined) !== undefined) return undefined;
  if (typeof rawAmount !== "string" || rawAmount.length > charsMax || typeof points !== "number") return undefined;
  if (discount !== undefined && (typeof discount !== "string" || discount.length > charsMax)) return undefined;
  const finalAmount = wasm.quotePlain(cardTypes.indexOf(cardType), rawAmount, points, discount);
  if (finalAmount < 0) return undefined;
  return {
    rawAmount: amountOf(wasm.quotedPart(0)),
    discount: multiplierOf(wasm.quotedPart(1)),
    discountSource: sources[wasm.quotedPart(2)] ?? "none",
    finalAmount: amountOf(finalAmount),
    pointsEarned: wasm.quotedPart(3),
  };
}

/** Hundredths as every room shows them; whole numbers below 2⁵³, so nothing is rounded. */
function amountOf(hundredths: number): string {
  const units = Math.floor(hundredths / 100);
  const rest = hundredths - units * 100;
  return rest < 10 ? `${units}.0${rest}` : `${units}.${rest}`;
}

function multiplierOf(thousandths: number): string {
  return thousandths === 1000 ? "1.000" : `0.${String(thousandths).padStart(3, "0")}`;
}
