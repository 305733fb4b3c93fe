// Entering a charge: amount, code, and the price that comes of them.
import type { QuotePaymentRequest } from "@mps/sdk/client";
import { useAmountReader } from "../amounts.ts";
import { readDigits } from "../digits.ts";
import { useFormat, useTexts } from "../i18n.ts";
import { textOf } from "../shell/form.ts";
import { ProblemNotice } from "../shell/problem_notice.tsx";
import { AmountField } from "./amount_field.tsx";
import { CodeField } from "./code_field.tsx";
import { completeRequest, isSameRequest, type QuoteState, useQuote } from "./quote.ts";

/** The shop's and the terminal's choice are fields of this form too, wherever they stand on the page. */
export const entryForm = "entry";

interface EntryProps {
  place: { merchantCode: string; terminalCode: string | undefined };
  /** The text of its field. */
  amount: string;
  digits: string;
  onAmount: (amount: string) => void;
  onDigits: (digits: string) => void;
  onCharge: (request: QuotePaymentRequest) => void;
}

export function Entry({ place, amount, digits, onAmount, onDigits, onCharge }: EntryProps) {
  const texts = useTexts().pos;
  const format = useFormat();
  const read = useAmountReader();
  const entered = read(amount);
  const request = completeRequest(place.merchantCode, place.terminalCode, entered, digits);
  const { state, ask } = useQuote(request);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    // What has been drawn may be older than the fields: they have the last word, and one that has no price yet is not charged.
    const merchant = textOf(event, "merchant") || place.merchantCode;
    const terminal = textOf(event, "terminal") || place.terminalCode;
    const code = readDigits(textOf(event, "code"));
    const inFields = "digits" in code ? completeRequest(merchant, terminal, read(textOf(event, "amount")), code.digits) : undefined;
    if (state.kind === "quoted" && isSameRequest(inFields, state.request)) onCharge(state.request);
  };
  return (
    <form id={entryForm} class="till" onSubmit={submit}>
      <AmountField text={amount} amount={entered} onText={onAmount} />
      <div class="stack">
        <CodeField digits={digits} onDigits={onDigits} />
        <div class="quote" aria-live="polite">
          <QuoteWords state={state} onRetry={ask} />
        </div>
        <button class="button large" type="submit" disabled={state.kind !== "quoted"}>
          {state.kind === "quoted" ? texts.charge(format.money(state.quote.final_amount)) : texts.chargeIdle}
        </button>
      </div>
    </form>
  );
}

function QuoteWords({ state, onRetry }: { state: QuoteState; onRetry: () => void }) {
  const texts = useTexts();
  const format = useFormat();
  if (state.kind === "incomplete") return <p class="faint">{texts.pos.waiting}</p>;
  if (state.kind === "asking") return <p class="faint">{texts.pos.quoting}</p>;
  if (state.kind === "refused") {
    return <ProblemNotice problem={state.problem} {...(state.problem.mayRetry ? { onRetry } : {})} />;
  }
  const { quote } = state;
  const discount = format.discount(quote.discount);
  return (
    <dl class="sums">
      <dt>{texts.pos.rawAmount}</dt>
      <dd>{format.money(quote.raw_amount)}</dd>
      <dt>{texts.pos.discount}</dt>
      <dd>
        {discount ?? texts.wallet.noDiscount}
        {discount !== undefined && quote.discount_source !== "none" && (
          <small> {texts.wallet.sources[quote.discount_source]}</small>
        )}
      </dd>
      <dt>{texts.pos.pointsEarned}</dt>
      <dd>{texts.wallet.points(format.whole(quote.points_earned))}</dd>
      <dt class="total">{texts.pos.finalAmount}</dt>
      <dd class="total">{format.money(quote.final_amount)}</dd>
    </dl>
  );
}
