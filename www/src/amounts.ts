// Amounts are decimal strings; the little that a page works out itself goes through whole cents, never through floats.
import { MpsError, parseAmountInput, parsePrice } from "@mps/sdk";
import type { AmountRefusal } from "@mps/sdk";
import { decimalSignOf, useLocale } from "./i18n.ts";
import { useSite } from "./shell/site.ts";

function cents(amount: string): bigint {
  const [whole = "0", fraction = ""] = amount.split(".");
  const size = BigInt(whole.replace("-", "") + fraction.padEnd(2, "0").slice(0, 2));
  return amount.startsWith("-") ? -size : size;
}

/** Whether two amounts are the same, however many zeros are written. */
export const isSame = (one: string, other: string): boolean => cents(one) === cents(other);

/** What an amount's field says: a price as the calls take it, or why it is none. */
export type Amount =
  | { kind: "empty" }
  | { kind: "price"; price: string }
  | { kind: "refused"; why: AmountRefusal | "noPrice"; character?: string | undefined };

/** Reads amount fields: every one on every page, whether it was typed, tapped or pasted. */
export function useAmountReader(): (text: string) => Amount {
  const { currencySigns } = useSite().config;
  // Certain where this page and the reader's own programs write it in the same way.
  const [here, theirs] = [decimalSignOf(useLocale()), decimalSignOf(navigator.language)];
  const decimalSign = here === theirs ? here : undefined;
  return (text) => {
    const input = parseAmountInput(text, { decimalSign, currencySigns });
    if (input.kind === "empty") return input;
    if (input.kind === "refused") return { kind: "refused", why: input.reason, character: input.character };
    const price = priceOf(input.amount);
    return price === undefined ? { kind: "refused", why: "noPrice" } : { kind: "price", price };
  };
}

function priceOf(amount: string): string | undefined {
  try {
    return parsePrice(amount);
  } catch (error) {
    if (error instanceof MpsError && error.code === "INVALID_PRICE") return undefined;
    throw error;
  }
}
