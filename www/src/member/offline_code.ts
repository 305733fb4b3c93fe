// The code that this device makes by itself: of the present step, renewed as steps pass, or the next one when it was used.
import { limits, type OfflineCode, type OfflineWallet } from "@mps/sdk";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "../problem.ts";
import { useSite } from "../shell/site.ts";

const stepMs = limits.code.otpStepSeconds * 1000;

export type OfflineState =
  | { kind: "making" }
  /**
   * `terminal`: the one that the code is for, if it is for one. `waitsUntil`: the next code was asked for and comes then, in this
   * device's milliseconds.
   */
  | { kind: "shown"; shown: OfflineCode; terminal: string | undefined; waitsUntil?: number }
  | { kind: "failed"; problem: Problem };

export interface OfflineCodes {
  state: OfflineState;
  next: () => void;
}

/** No wallet, no code; with a terminal's six characters the code is for that one only. */
export function useOfflineCode(wallet: OfflineWallet | undefined, terminal: string | undefined): OfflineCodes {
  const site = useSite();
  const [state, setState] = useState<OfflineState>({ kind: "making" });
  // How often the next code was asked for. Each is asked for once: another terminal is no reason for another step.
  const [asked, setAsked] = useState(0);
  const answered = useRef(0);
  // When the step on show begins. It may be the one to come: then the present one was shown before, and may be paid with already.
  const begins = useRef(0);

  useEffect(() => {
    if (wallet === undefined) return;
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = async (isNext: boolean): Promise<void> => {
      const now = Date.now();
      // A clock that was set back begins anew.
      const ofStep = begins.current > now + stepMs ? now : Math.max(now, begins.current);
      const made = isNext ? await wallet.next(now, terminal) : await wallet.code(ofStep, terminal);
      if (isOver) return;
      clearTimeout(timer);
      timer = setTimeout(() => run(made.kind === "wait"), Math.max(0, made.endsAt - Date.now()));
      if (made.kind !== "wait") {
        begins.current = made.endsAt - stepMs;
        setState({ kind: "shown", shown: made, terminal });
      } else setState((former) => (former.kind === "shown" ? { ...former, waitsUntil: made.endsAt } : former));
    };
    const run = (isNext: boolean): void => {
      show(isNext).catch((error: unknown) => {
        if (!isOver) setState({ kind: "failed", problem: site.problemOf(error) });
      });
    };
    run(asked !== answered.current);
    answered.current = asked;
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [site, wallet, terminal, asked]);

  const next = useCallback(() => setAsked((times) => times + 1), []);
  return { state, next };
}
