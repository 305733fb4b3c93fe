// The charge under way: sent under the till's intent, asked about again after a reload, over when the cashier goes on from its outcome.
import type { Charge, ChargeRequest } from "@mps/sdk/client";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "../problem.ts";
import { useSite } from "../shell/site.ts";

type Step =
  | { kind: "entry" }
  | { kind: "charging"; isResumed: boolean }
  | { kind: "paid"; charge: Charge }
  | { kind: "refused"; problem: Problem }
  | { kind: "keyUsed" }
  | { kind: "unknown"; problem: Problem; request: ChargeRequest };

export function useCharge(merchantCode: string) {
  const site = useSite();
  const [step, setStep] = useState<Step>({ kind: "entry" });
  // Until the page is drawn anew it can be tapped once more. Whatever is under way ends first.
  const isUnderWay = useRef(false);
  const once = useCallback(async (work: () => Promise<void>) => {
    if (isUnderWay.current) return;
    isUnderWay.current = true;
    await work().finally(() => (isUnderWay.current = false));
  }, []);

  // One charge at a time and till. The package keeps it, so that an outcome that nobody saw is asked for again with the same key.
  const intent = `charge ${merchantCode}`;
  const send = useCallback(
    async (request: ChargeRequest, isResumed: boolean) => {
      setStep({ kind: "charging", isResumed });
      try {
        setStep({ kind: "paid", charge: await site.client.charge(request, { intent }) });
      } catch (error) {
        const problem = site.problemOf(error);
        const isKeyUsed = problem.code === "IDEMPOTENCY_KEY_REUSED";
        // What is still kept may have been paid, unless its key was another charge's; so may what cannot be looked up.
        const isKept = () => site.client.keptIntent(intent).then((kept) => kept !== undefined, () => true);
        if (!isKeyUsed && (await isKept())) {
          setStep({ kind: "unknown", problem, request });
          return;
        }
        // Nothing was done, and this key is never lent to the next customer's charge.
        await site.client.forgetIntent(intent);
        setStep(isKeyUsed ? { kind: "keyUsed" } : { kind: "refused", problem });
      }
    },
    [site, intent],
  );

  /** Asks for the one whose outcome nobody saw. Answers whether there is one. */
  const resume = useCallback(async () => {
    const kept = await site.client.keptIntent(intent);
    if (kept !== undefined) await send(kept.body as ChargeRequest, true);
    return kept !== undefined;
  }, [site, intent, send]);
  useEffect(() => void once(async () => void (await resume())), [once, resume]);

  const charge = async (request: ChargeRequest) => {
    // The fields are gone from here on: what is sent is what they said.
    setStep({ kind: "charging", isResumed: false });
    try {
      // Another page of this tab may have left one since.
      if (!(await resume())) await send(request, false);
    } catch (error) {
      // What is kept cannot be read, so nothing was sent.
      setStep({ kind: "refused", problem: site.problemOf(error) });
    }
  };
  const goOn = async () => {
    await site.client.forgetIntent(intent);
    setStep({ kind: "entry" });
  };
  return {
    step,
    charge: (request: ChargeRequest) => once(() => charge(request)),
    retry: (request: ChargeRequest) => once(() => send(request, true)),
    goOn: () => once(goOn),
  };
}
