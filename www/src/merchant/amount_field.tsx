// The amount, typed or tapped. It stays the text that was entered.
import { typeAmount } from "../amounts.ts";
import { useTexts } from "../i18n.ts";

const keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9", ".", "0", "⌫"] as const;

export function AmountField({ amount, onAmount }: { amount: string; onAmount: (amount: string) => void }) {
  const texts = useTexts().pos;
  const press = (key: (typeof keys)[number]) =>
    onAmount(key === "⌫" ? amount.slice(0, -1) : typeAmount(amount, amount + key));
  return (
    <div class="amount">
      <label>
        <span>{texts.amount}</span>
        <input
          name="amount"
          value={amount}
          placeholder="0.00"
          autocomplete="off"
          // Our own keypad is on the screen: the phone's would cover it.
          inputMode="none"
          onInput={(event) => {
            const field = event.currentTarget;
            const next = typeAmount(amount, field.value.normalize("NFKC"));
            field.value = next;
            onAmount(next);
          }}
        />
      </label>
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
