// The till: enter amount and code, see the price, charge, see how it ended.
import type { Charge, ChargeRequest, QuotePaymentRequest } from "@mps/sdk/client";
import { useCallback, useEffect, useState } from "preact/hooks";
import { useTexts } from "../i18n.ts";
import type { Problem } from "../problem.ts";
import { useSite } from "../shell/site.ts";
import { Entry } from "./entry.tsx";
import { Refusal, Success, Unknown } from "./outcome.tsx";

type Step =
  | { kind: "entry" }
  | { kind: "charging"; isResumed: boolean }
  | { kind: "paid"; charge: Charge }
  | { kind: "refused"; problem: Problem }
  | { kind: "unknown"; problem: Problem; request: ChargeRequest };

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

  // One charge at a time and till. Its key is kept by the package, so that a reload asks again with the same one.
  const intent = `charge ${merchantCode}`;
  const send = useCallback(
    async (request: ChargeRequest, isResumed: boolean) => {
      setStep({ kind: "charging", isResumed });
      try {
        const charge = await site.client.charge(request, { intent });
        await site.client.forgetIntent(intent);
        setStep({ kind: "paid", charge });
      } catch (error) {
        const problem = site.problemOf(error);
        // Refused, it is kept no more; what is still kept may have been paid.
        const isOpen = (await site.client.keptIntent(intent)) !== undefined;
        setStep(isOpen ? { kind: "unknown", problem, request } : { kind: "refused", problem });
      }
    },
    [site, intent],
  );

  useEffect(() => {
    void site.client.keptIntent(intent).then((kept) => {
      if (kept !== undefined) void send(kept.body as ChargeRequest, true);
    });
  }, [site, intent, send]);

  const charge = (request: QuotePaymentRequest) => void send(request, false);
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
    const { request } = step;
    const leave = () => void site.client.forgetIntent(intent).then(() => enter("", ""));
    return <Unknown problem={step.problem} onRetry={() => void send(request, true)} onLeave={leave} />;
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
