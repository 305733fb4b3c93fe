// The amount, typed, tapped or pasted. The field keeps the text as it was entered, whatever it says: only the whole of it is read.
import { useRef } from "preact/hooks";
import type { Amount } from "../amounts.ts";
import { useFormat, useTexts } from "../i18n.ts";

const keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9", ".", "0", "⌫"] as const;

interface AmountFieldProps {
  text: string;
  /** What the text says. */
  amount: Amount;
  onText: (text: string) => void;
}

export function AmountField({ text, amount, onText }: AmountFieldProps) {
  const texts = useTexts().pos;
  const field = useRef<HTMLInputElement>(null);
  const press = (key: (typeof keys)[number]) => {
    // Two taps may come before the page is drawn anew.
    const held = field.current?.value ?? text;
    const next = key === "⌫" ? held.slice(0, -1) : held + key;
    if (field.current !== null) field.current.value = next;
    onText(next);
  };
  const isWrong = amount.kind === "refused" && !unfinished.includes(amount.why);
  return (
    <div class="amount">
      <label>
        <span>{texts.amount}</span>
        <input
          ref={field}
          name="amount"
          value={text}
          placeholder="0.00"
          autocomplete="off"
          // Our own keypad is on the screen: the phone's would cover it.
          inputMode="none"
          aria-invalid={isWrong}
          aria-describedby="amount-hint"
          onInput={(event) => onText(event.currentTarget.value)}
        />
      </label>
      <small id="amount-hint" class={isWrong ? "wrong" : "faint"} aria-live="polite">
        <AmountHint text={text} amount={amount} />
      </small>
      <div class="keypad" role="group" aria-label={texts.keypad}>
        {keys.map((key) => (
          <button key={key} type="button" aria-label={key === "⌫" ? texts.deleteDigit : key} onClick={() => press(key)}>
            {key}
          </button>
        ))}
      </div>
    </div>
  );
}

/** More may follow that makes it an amount: `0`, `12.`. */
const unfinished: readonly string[] = ["unfinished", "noPrice"];

/** How the text is read where it is not written as amounts are here, or why it is not taken. */
function AmountHint({ text, amount }: { text: string; amount: Amount }) {
  const texts = useTexts().pos;
  const format = useFormat();
  if (amount.kind === "empty") return null;
  if (amount.kind === "price") return /^\d+(?:\.\d{1,2})?$/.test(text) ? null : texts.amountRead(format.money(amount.price));
  return amount.why === "character" ? texts.amountCharacter(amount.character ?? "") : texts.amountRefused[amount.why];
}
