// The price of what has been entered, asked as soon as amount and code are complete.
import { inspectPaymentCode, limits, parsePrice } from "@mps/sdk";
import { MpsError, type PaymentQuote, type QuotePaymentRequest } from "@mps/sdk/client";
import { useEffect, useState } from "preact/hooks";
import type { Problem } from "../problem.ts";
import { useSite } from "../shell/site.ts";

const pauseBeforeAskingMs = 300;

export type QuoteState =
  | { kind: "incomplete" }
  | { kind: "asking" }
  | { kind: "quoted"; request: QuotePaymentRequest; quote: PaymentQuote }
  | { kind: "refused"; problem: Problem };

/** Undefined while the amount or the code is not yet what could be sent. */
export function completeRequest(
  merchantCode: string,
  terminalCode: string | undefined,
  amount: string,
  digits: string,
): QuotePaymentRequest | undefined {
  const price = priceOf(amount);
  if (price === undefined || digits.length !== limits.code.digits || inspectPaymentCode(digits) === null) return undefined;
  const request = { merchant_code: merchantCode, qr_plain: digits, raw_amount: price };
  return terminalCode === undefined ? request : { ...request, terminal_code: terminalCode };
}

function priceOf(amount: string): string | undefined {
  try {
    return parsePrice(amount);
  } catch (error) {
    if (error instanceof MpsError && error.code === "INVALID_PRICE") return undefined;
    throw error;
  }
}

export function useQuote(request: QuotePaymentRequest | undefined): { state: QuoteState; ask: () => void } {
  const site = useSite();
  const [state, setState] = useState<QuoteState>({ kind: "incomplete" });
  const [times, setTimes] = useState(0);
  const text = request === undefined ? undefined : JSON.stringify(request);

  useEffect(() => {
    if (text === undefined) {
      setState({ kind: "incomplete" });
      return;
    }
    const asked = JSON.parse(text) as QuotePaymentRequest;
    const control = new AbortController();
    setState({ kind: "asking" });
    const timer = setTimeout(() => {
      site.client.quotePayment(asked, { signal: control.signal }).then(
        (quote) => setState({ kind: "quoted", request: asked, quote }),
        (error: unknown) => {
          if (!control.signal.aborted) setState({ kind: "refused", problem: site.problemOf(error) });
        },
      );
    }, pauseBeforeAskingMs);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [site, text, times]);
  return { state, ask: () => setTimes((count) => count + 1) };
}
