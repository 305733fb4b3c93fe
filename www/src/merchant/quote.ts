// The price of what has been entered, asked as soon as amount and code are complete.
import { inspectPaymentCode, limits } from "@mps/sdk";
import type { PaymentQuote, QuotePaymentRequest } from "@mps/sdk/client";
import { useEffect, useState } from "preact/hooks";
import type { Amount } from "../amounts.ts";
import type { Problem } from "../problem.ts";
import { useSite } from "../shell/site.ts";

const pauseBeforeAskingMs = 300;

type Answer = { kind: "quoted"; request: QuotePaymentRequest; quote: PaymentQuote } | { kind: "refused"; problem: Problem };

export type QuoteState = { kind: "incomplete" } | { kind: "asking" } | Answer;

/** Undefined while the amount or the code is not yet what could be sent. */
export function completeRequest(
  merchantCode: string,
  terminalCode: string | undefined,
  amount: Amount,
  digits: string,
): QuotePaymentRequest | undefined {
  if (amount.kind !== "price" || digits.length !== limits.code.digits || inspectPaymentCode(digits) === null) return undefined;
  const request = { merchant_code: merchantCode, qr_plain: digits, raw_amount: amount.price };
  return terminalCode === undefined ? request : { ...request, terminal_code: terminalCode };
}

const textOf = (request: QuotePaymentRequest | undefined): string | undefined => request && JSON.stringify(request);

export const isSameRequest = (one: QuotePaymentRequest | undefined, other: QuotePaymentRequest): boolean => textOf(one) === textOf(other);

/** The price of this very request: effects run a frame late, so an answer says what was asked, and is not shown for anything else. */
export function useQuote(request: QuotePaymentRequest | undefined): { state: QuoteState; ask: () => void } {
  const site = useSite();
  const [answered, setAnswered] = useState<{ text: string; answer: Answer }>();
  const [times, setTimes] = useState(0);
  const text = textOf(request);

  useEffect(() => {
    if (text === undefined) return;
    const asked = JSON.parse(text) as QuotePaymentRequest;
    const control = new AbortController();
    const settle = (answer: Answer) => {
      if (!control.signal.aborted) setAnswered({ text, answer });
    };
    const timer = setTimeout(() => {
      site.client.quotePayment(asked, { signal: control.signal }).then(
        (quote) => settle({ kind: "quoted", request: asked, quote }),
        (error: unknown) => {
          if (!control.signal.aborted) settle({ kind: "refused", problem: site.problemOf(error) });
        },
      );
    }, pauseBeforeAskingMs);
    return () => {
      clearTimeout(timer);
      control.abort();
      setAnswered(undefined);
    };
  }, [site, text, times]);

  let state: QuoteState = { kind: text === undefined ? "incomplete" : "asking" };
  if (answered !== undefined && answered.text === text) state = answered.answer;
  return { state, ask: () => setTimes((count) => count + 1) };
}
