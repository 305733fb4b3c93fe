// The payment code without a network, for any terminal or for one.
import { limits, type OfflineWallet, parseCodeInput } from "@mps/sdk";
import { useEffect, useState } from "preact/hooks";
import { useTexts } from "../i18n.ts";
import { Loading } from "../shell/loading.tsx";
import { ProblemNotice } from "../shell/problem_notice.tsx";
import type { Movement } from "./cards.ts";
import { useOfflineCode } from "./offline_code.ts";
import { ShownCode, useSecondsUntil } from "./shown_code.tsx";

const lifetimeSeconds = limits.code.otpStepSeconds;

export function OfflinePanel({ wallet, movement }: { wallet: OfflineWallet; movement: Movement | undefined }) {
  const texts = useTexts().offlineCode;
  const [typed, setTyped] = useState("");
  const [refusal, setRefusal] = useState<TerminalRefusal>();
  const terminal = typed.length === limits.code.terminalCodeChars ? typed : undefined;
  const { state, next } = useOfflineCode(wallet, terminal);
  useEffect(() => {
    // The step that paid is used up: its place is taken by the next. Was it another member's, this one still pays.
    if (movement?.kind === "payment" && movement.card.card_id === wallet.cardId) next();
  }, [movement, wallet, next]);
  if (state.kind === "making") return <Loading />;
  if (state.kind === "failed") return <ProblemNotice problem={state.problem} onRetry={next} />;
  return (
    <>
      <p class="faint">{state.terminal === undefined ? texts.hint : texts.hintTerminal(state.terminal)}</p>
      <ShownCode digits={state.shown.code} renewAt={state.shown.endsAt} lifetimeSeconds={lifetimeSeconds} />
      {state.waitsUntil === undefined ? (
        <button class="button quiet" type="button" onClick={next}>
          {texts.next}
        </button>
      ) : (
        <Waiting until={state.waitsUntil} />
      )}
      <label class="field">
        <span>{texts.terminal}</span>
        <input
          value={typed}
          autocomplete="off"
          autocapitalize="characters"
          spellcheck={false}
          aria-invalid={refusal !== undefined}
          aria-describedby="terminal-hint"
          onInput={(event) => {
            const field = event.currentTarget;
            const entered = readTerminal(field.value);
            // What is refused leaves the field as it was.
            field.value = "code" in entered ? entered.code : typed;
            setRefusal("code" in entered ? undefined : entered);
            setTyped(field.value);
          }}
        />
        <small id="terminal-hint" class={refusal === undefined ? "" : "wrong"} aria-live="polite">
          {refusal === undefined ? texts.terminalHint : refusal.character === undefined ? texts.terminalTooLong : texts.terminalCharacter(refusal.character)}
        </small>
      </label>
    </>
  );
}

function Waiting({ until }: { until: number }) {
  const texts = useTexts().offlineCode;
  return (
    <p class="notice" role="status">
      {texts.wait(String(useSecondsUntil(until)))}
    </p>
  );
}

/** Why what was typed is no part of a terminal's code: a character, or that it is longer. */
interface TerminalRefusal {
  character: string | undefined;
}

function readTerminal(text: string): { code: string } | TerminalRefusal {
  const input = parseCodeInput(text, "digits_and_letters");
  if (input.kind === "refused") return { character: input.character };
  const code = input.kind === "code" ? input.code : "";
  return code.length > limits.code.terminalCodeChars ? { character: undefined } : { code };
}
