// The till: enter amount and code, see the price, charge, see how it ended.
import { useLayoutEffect, useState } from "preact/hooks";
import { useTexts } from "../i18n.ts";
import { useCharge } from "./charge.ts";
import { Entry } from "./entry.tsx";
import { KeyUsed, Refusal, Success, Unknown } from "./outcome.tsx";

interface TillProps {
  merchantCode: string;
  terminalCode: string | undefined;
  /** Told whether there is a charge from whose outcome the cashier has not gone on. */
  onBusy: (isBusy: boolean) => void;
}

export function Till({ merchantCode, terminalCode, onBusy }: TillProps) {
  const texts = useTexts().pos;
  const { step, charge, retry, goOn } = useCharge(merchantCode);
  const [amount, setAmount] = useState("");
  const [digits, setDigits] = useState("");

  // After a refusal another terminal may be what is wanted.
  const isBusy = step.kind !== "entry" && step.kind !== "refused";
  useLayoutEffect(() => onBusy(isBusy), [isBusy, onBusy]);

  const enter = (keptAmount: string, keptDigits: string) => {
    setAmount(keptAmount);
    setDigits(keptDigits);
    void goOn();
  };
  if (step.kind === "charging") {
    return (
      <p class="panel loading" role="status">
        <span class="spinner" aria-hidden="true" />
        {step.isResumed ? texts.resuming : texts.charging}
      </p>
    );
  }
  if (step.kind === "paid") return <Success charge={step.charge} onNew={() => enter("", "")} />;
  if (step.kind === "keyUsed") return <KeyUsed onNew={() => enter("", "")} />;
  if (step.kind === "refused") {
    return (
      <Refusal
        problem={step.problem}
        onNew={() => enter("", "")}
        onChangeCode={() => enter(amount, "")}
        onChangeAmount={() => enter("", digits)}
      />
    );
  }
  if (step.kind === "unknown") {
    const { request } = step;
    return <Unknown problem={step.problem} onRetry={() => void retry(request)} onLeave={() => enter("", "")} />;
  }
  return (
    <Entry
      place={{ merchantCode, terminalCode }}
      amount={amount}
      digits={digits}
      onAmount={setAmount}
      onDigits={setDigits}
      onCharge={(request) => void charge(request)}
    />
  );
}
