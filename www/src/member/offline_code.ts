// The code that this device makes by itself: of the present step, renewed as steps pass, or the next one when it was used.
import type { OfflineCode, OfflineWallet } from "@mps/sdk";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "../problem.ts";
import { useSite } from "../shell/site.ts";

export type OfflineState =
  | { kind: "making" }
  /** `waitsUntil`: the next code was asked for and comes then, in this device's milliseconds. */
  | { kind: "shown"; shown: OfflineCode; waitsUntil?: number }
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

  useEffect(() => {
    if (wallet === undefined) return;
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = async (isNext: boolean): Promise<void> => {
      const made = isNext ? await wallet.next(undefined, terminal) : await wallet.code(undefined, terminal);
      if (isOver) return;
      clearTimeout(timer);
      timer = setTimeout(() => run(made.kind === "wait"), Math.max(0, made.endsAt - Date.now()));
      if (made.kind !== "wait") setState({ kind: "shown", shown: made });
      else setState((former) => (former.kind === "shown" ? { ...former, waitsUntil: made.endsAt } : former));
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
