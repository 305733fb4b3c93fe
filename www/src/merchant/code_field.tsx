// The payment code, typed in fours or scanned; its check digit is verified before anything is sent.
import { inspectPaymentCode, limits } from "@mps/sdk";
import { useState } from "preact/hooks";
import { digitsOf, inFours, lastDigits } from "../digits.ts";
import { useTexts } from "../i18n.ts";
import { Scanner } from "./scanner.tsx";

interface CodeFieldProps {
  digits: string;
  onDigits: (digits: string) => void;
}

export function CodeField({ digits, onDigits }: CodeFieldProps) {
  const texts = useTexts().pos;
  const [isScanning, setScanning] = useState(false);
  const rest = limits.code.digits - digits.length;
  const isWrong = rest === 0 && inspectPaymentCode(digits) === null;
  let hint = texts.codeHint;
  if (digits !== "") hint = rest > 0 ? texts.codeRest(String(rest)) : isWrong ? texts.codeWrong : texts.codeRight;
  return (
    <div class="code-field">
      <label class="field">
        <span>{texts.code}</span>
        <input
          name="code"
          value={inFours(digits).join(" ")}
          inputMode="numeric"
          autocomplete="off"
          spellcheck={false}
          placeholder="7000 0000 0000 0000 0000 0000"
          aria-invalid={isWrong}
          aria-describedby="code-hint"
          onInput={(event) => onDigits(regroup(event.currentTarget))}
        />
      </label>
      <div class="row">
        <small id="code-hint" class={isWrong ? "wrong" : "faint"} aria-live="polite">
          {hint}
        </small>
        <span class="row">
          {digits !== "" && (
            <button class="link" type="button" onClick={() => onDigits("")}>
              {texts.clear}
            </button>
          )}
          <button class="button quiet small" type="button" onClick={() => setScanning(true)}>
            {texts.scan}
          </button>
        </span>
      </div>
      {isScanning && (
        <Scanner
          onCode={(code) => {
            onDigits(code);
            setScanning(false);
          }}
          onClose={() => setScanning(false)}
        />
      )}
    </div>
  );
}

/** Writes the field in fours and keeps the caret behind the digit it was behind. Answers the digits. */
function regroup(field: HTMLInputElement): string {
  const at = field.selectionStart ?? field.value.length;
  const [before, behind] = [digitsOf(field.value.slice(0, at)), digitsOf(field.value.slice(at))];
  const { digits, caret } = lastDigits(before, behind, limits.code.digits);
  field.value = inFours(digits).join(" ");
  const position = caret + Math.max(0, Math.ceil(caret / 4) - 1);
  field.setSelectionRange(position, position);
  return digits;
}
