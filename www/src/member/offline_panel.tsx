// The payment code without a network, for any terminal or for one.
import { limits, type OfflineWallet } from "@mps/sdk";
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
          onInput={(event) => {
            const field = event.currentTarget;
            field.value = terminalOf(field.value);
            setTyped(field.value);
          }}
        />
        <small>{texts.terminalHint}</small>
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

/** The characters of a terminal's code in whatever was typed. */
function terminalOf(text: string): string {
  const plain = text.normalize("NFKC").toUpperCase().replace(/[^0-9A-Z]/g, "");
  return plain.slice(0, limits.code.terminalCodeChars);
}
