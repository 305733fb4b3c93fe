// The till: enter amount and code, see the price, charge, see how it ended.
import type { Charge, QuotePaymentRequest } from "@mps/sdk/client";
import { useCallback, useEffect, useState } from "preact/hooks";
import { useTexts } from "../i18n.ts";
import type { Problem } from "../problem.ts";
import { useSite } from "../shell/site.ts";
import { Entry } from "./entry.tsx";
import { forgetIntent, type Intent, isAnswered, keptIntent, mintIntent } from "./intent.ts";
import { Refusal, Success, Unknown } from "./outcome.tsx";

type Step =
  | { kind: "entry" }
  | { kind: "charging"; isResumed: boolean }
  | { kind: "paid"; charge: Charge }
  | { kind: "refused"; problem: Problem }
  | { kind: "unknown"; problem: Problem; intent: Intent };

interface TillProps {
  merchantCode: string;
  terminalCode: string | undefined;
}

export function Till({ merchantCode, terminalCode }: TillProps) {
  const site = useSite();
  const texts = useTexts().pos;
  const [step, setStep] = useState<Step>({ kind: "entry" });
  const [amount, setAmount] = useState("");
  const [digits, setDigits] = useState("");

  const send = useCallback(
    async (intent: Intent, isResumed: boolean) => {
      setStep({ kind: "charging", isResumed });
      try {
        const charge = await site.client.charge(intent.request, { idempotencyKey: intent.key });
        forgetIntent();
        setStep({ kind: "paid", charge });
      } catch (error) {
        const problem = site.problemOf(error);
        if (!isAnswered(problem)) {
          setStep({ kind: "unknown", problem, intent });
          return;
        }
        forgetIntent();
        setStep({ kind: "refused", problem });
      }
    },
    [site],
  );

  useEffect(() => {
    const intent = keptIntent(merchantCode);
    if (intent !== undefined) void send(intent, true);
  }, [merchantCode, send]);

  const charge = (request: QuotePaymentRequest) => void send(mintIntent(request), false);
  const enter = (keptAmount: string, keptDigits: string) => {
    setAmount(keptAmount);
    setDigits(keptDigits);
    setStep({ kind: "entry" });
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
    const { intent } = step;
    const leave = () => {
      forgetIntent();
      enter("", "");
    };
    return <Unknown problem={step.problem} onRetry={() => void send(intent, true)} onLeave={leave} />;
  }
  return (
    <Entry
      place={{ merchantCode, terminalCode }}
      amount={amount}
      digits={digits}
      onAmount={setAmount}
      onDigits={setDigits}
      onCharge={charge}
    />
  );
}
