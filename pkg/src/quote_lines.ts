// A plain quote as a line of text: strings cross into WebAssembly quicker than objects. What is not plain takes the way of objects.

import type { DiscountSource, PriceQuote, QuoteRequest } from "./types.js";

const fieldsCharsMax = 64;

/** The request's line; none when it has levels or corporate discounts of its own, or fields of the wrong type. */
export function lineOf(request: QuoteRequest): string | undefined {
  // Callers without a compiler send anything.
  const fields: Partial<Record<keyof QuoteRequest, unknown>> | null | undefined = request;
  if (fields === null || fields === undefined) return undefined;
  // Each field is read once: it may be a getter's.
  const { cardType, rawAmount, corporateDiscounts, levels, points: given, fixedDiscount: fixed } = fields;
  const points = given ?? 0;
  const fixedDiscount = fixed ?? "";
  const isWhole = (corporateDiscounts ?? levels ?? undefined) === undefined;
  if (!isWhole || typeof cardType !== "string" || typeof rawAmount !== "string") return undefined;
  if (typeof points !== "number" || typeof fixedDiscount !== "string") return undefined;
  // Whatever is longer than a price is refused with its reason.
  if (cardType.length + rawAmount.length + fixedDiscount.length > fieldsCharsMax) return undefined;
  // The module takes an empty discount for none; for callers it is malformed.
  if (fixed === "") return undefined;
  return `${cardType}\t${rawAmount}\t${String(points)}\t${fixedDiscount}`;
}

/** The answers' lines as quotes; none when they are not as many as were asked for: a field had a line break in it. */
export function quotesOf(lines: string | undefined, count: number): PriceQuote[] | undefined {
  if (lines === undefined) return undefined;
  const quotes = lines.split("\n").map(quoteOf);
  return quotes.length === count ? quotes : undefined;
}

function quoteOf(line: string): PriceQuote {
  const [rawAmount = "", discount = "", discountSource, finalAmount = "", points] = line.split("\t");
  return {
    rawAmount,
    discount,
    discountSource: discountSource as DiscountSource,
    finalAmount,
    pointsEarned: Number(points),
  };
}
