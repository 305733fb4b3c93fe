// The payment code, typed in fours or scanned; its check digit is verified before anything is sent.
import { inspectPaymentCode, limits } from "@mps/sdk";
import { useState } from "preact/hooks";
import { type CodeRefusal, enterDigits, inFours } from "../digits.ts";
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
  const [refusal, setRefusal] = useState<CodeRefusal>();
  const isWrong = refusal !== undefined || (rest === 0 && inspectPaymentCode(digits) === null);
  const enter = (event: InputEvent & { currentTarget: HTMLInputElement }) => {
    const entered = regroup(event.currentTarget, event.data ?? undefined, digits);
    setRefusal("digits" in entered ? undefined : entered);
    if ("digits" in entered) onDigits(entered.digits);
  };
  const replace = (code: string) => {
    setRefusal(undefined);
    onDigits(code);
  };
  let hint = texts.codeHint;
  if (refusal !== undefined) hint = "character" in refusal ? texts.codeCharacter(refusal.character) : texts.codeTooMany(String(refusal.tooMany));
  else if (digits !== "") hint = rest > 0 ? texts.codeRest(String(rest)) : isWrong ? texts.codeWrong : texts.codeRight;
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
          onInput={enter}
        />
      </label>
      <div class="row">
        <small id="code-hint" class={isWrong ? "wrong" : "faint"} aria-live="polite">
          {hint}
        </small>
        <span class="row">
          {digits !== "" && (
            <button class="link" type="button" onClick={() => replace("")}>
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
            replace(code);
            setScanning(false);
          }}
          onClose={() => setScanning(false)}
        />
      )}
    </div>
  );
}

/**
 * Writes the field in fours and keeps the caret behind the digit it was behind. What is refused leaves the field as it was. `data`: what was
 * typed or pasted; nothing where the browser put a whole text in.
 */
function regroup(field: HTMLInputElement, data: string | undefined, held: string): { digits: string } | CodeRefusal {
  const at = field.selectionStart ?? field.value.length;
  const entered = enterDigits(field.value.slice(0, at), field.value.slice(at), data ?? field.value);
  const text = inFours("digits" in entered ? entered.digits : held).join(" ");
  const position = "digits" in entered ? entered.caret + Math.max(0, Math.ceil(entered.caret / 4) - 1) : at - (field.value.length - text.length);
  field.value = text;
  field.setSelectionRange(position, position);
  return entered;
}
