// A live payment code of one card: issued, renewed before it ends, revoked when the member hides it.
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Problem } from "../problem.ts";
import { useSite } from "../shell/site.ts";

const lifetimeSeconds = 60;
/** So long before its end a code is replaced, so that a cashier never types a dying one. */
const renewBeforeEndSeconds = 5;
/** So long a code is on the screen. */
export const shownSeconds = lifetimeSeconds - renewBeforeEndSeconds;
const retryAfterMs = 5_000;

export type CodeState =
  | { kind: "making" }
  /** `renewAt` is in this device's milliseconds, so that a wrong clock does no harm; `issuedAt` in the server's. */
  | { kind: "shown"; digits: string; issuedAt: number; renewAt: number }
  | { kind: "hidden" }
  | { kind: "failed"; problem: Problem };

export interface PaymentCode {
  state: CodeState;
  renew: () => void;
  /** The member paid at that moment: a fresh code for the one on show, if it may be what paid. */
  replaceSpent: (paidAt: string) => void;
  hide: () => void;
}

/** The code of a card; no card, no code. */
export function usePaymentCode(cardId: string | undefined): PaymentCode {
  const site = useSite();
  const [kept, setKept] = useState<{ cardId: string | undefined; state: CodeState }>();
  const setState = useCallback((state: CodeState) => setKept({ cardId, state }), [cardId]);
  // Effects run a frame late: another card's code must not be on the screen for that long.
  const state: CodeState = kept !== undefined && kept.cardId === cardId ? kept.state : { kind: "making" };
  // Which code is wanted: another number is another code.
  const [wanted, setWanted] = useState(0);
  const [hiddenId, setHiddenId] = useState<string>();
  const isHidden = cardId !== undefined && cardId === hiddenId;

  useEffect(() => {
    if (cardId === undefined || isHidden) return;
    const control = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = () => setWanted((count) => count + 1);
    const issue = async () => {
      // Counted from before the request: the code never outlives what is shown.
      const renewAt = Date.now() + shownSeconds * 1000;
      try {
        const request = { card_id: cardId, ttl_seconds: lifetimeSeconds };
        const issued = await site.client.rotateCode(request, { signal: control.signal });
        const issuedAt = Date.parse(issued.qr_expires_at) - lifetimeSeconds * 1000;
        setState({ kind: "shown", digits: issued.qr_plain, issuedAt, renewAt });
        timer = setTimeout(renewIfSeen, renewAt - Date.now());
      } catch (error) {
        if (control.signal.aborted) return;
        const problem = site.problemOf(error);
        setState({ kind: "failed", problem });
        if (problem.mayRetry) timer = setTimeout(again, retryAfterMs);
      }
    };
    // A code that ended in a tab nobody looks at is taken off the screen.
    const renewIfSeen = () => {
      if (document.hidden) setState({ kind: "making" });
      else again();
    };
    // Meanwhile another device may have ended it: who comes back gets a fresh one.
    const comeBack = () => {
      if (document.hidden) return;
      setState({ kind: "making" });
      again();
    };
    document.addEventListener("visibilitychange", comeBack);
    void issue();
    return () => {
      control.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", comeBack);
    };
  }, [site, cardId, wanted, isHidden, setState]);

  useEffect(() => {
    if (cardId === undefined || !isHidden) return;
    // An answer that comes late is of a card that is no longer chosen, or a code that is shown again.
    let isOver = false;
    const settle = (settled: CodeState) => {
      if (!isOver) setState(settled);
    };
    site.client.revokeCode(cardId).then(
      () => settle({ kind: "hidden" }),
      (error: unknown) => settle({ kind: "failed", problem: site.problemOf(error) }),
    );
    return () => {
      isOver = true;
    };
  }, [site, cardId, isHidden, setState]);

  // Whoever comes back to a card gets a fresh code of it.
  useEffect(() => {
    setHiddenId(undefined);
    setKept(undefined);
  }, [cardId]);

  const renew = useCallback(() => {
    setHiddenId(undefined);
    setWanted((count) => count + 1);
  }, []);
  const replaceSpent = (paidAt: string) => {
    if (state.kind === "shown" && state.issuedAt <= Date.parse(paidAt)) renew();
  };
  const hide = useCallback(() => {
    setHiddenId(cardId);
    // Off the screen at once; that it no longer works is said when the server has said so.
    setState({ kind: "making" });
  }, [cardId, setState]);
  return { state, renew, replaceSpent, hide };
}
