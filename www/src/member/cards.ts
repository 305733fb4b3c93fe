// The member's cards, asked again every few seconds while somebody looks, so that a payment shows by itself.
import type { MemberCard } from "@mps/sdk/client";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { change } from "../amounts.ts";
import type { Problem } from "../problem.ts";
import { useSite } from "../shell/site.ts";

const pollEveryMs = 3_000;

/** A card's balance moved by `amount`, a signed decimal string. */
export interface Movement {
  card: MemberCard;
  amount: string;
}

export interface Cards {
  /** Undefined until the first answer; kept while later ones fail. */
  cards: readonly MemberCard[] | undefined;
  problem: Problem | undefined;
  ask: () => void;
}

export function useCards(onMovement: (movement: Movement) => void): Cards {
  const site = useSite();
  const [cards, setCards] = useState<readonly MemberCard[]>();
  const [problem, setProblem] = useState<Problem>();
  const seen = useRef(new Map<string, string>());
  const report = useRef(onMovement);
  report.current = onMovement;

  const ask = useCallback(async () => {
    try {
      const answer = await site.client.cards();
      for (const card of answer) {
        const earlier = seen.current.get(card.card_id);
        seen.current.set(card.card_id, card.balance);
        const amount = earlier === undefined ? "0.00" : change(earlier, card.balance);
        if (amount !== "0.00") report.current({ card, amount });
      }
      setCards(answer);
      setProblem(undefined);
    } catch (error) {
      setProblem(site.problemOf(error));
    }
  }, [site]);

  useEffect(() => whileVisible(ask, pollEveryMs), [ask]);
  return { cards, problem, ask: () => void ask() };
}

/** Runs `work` at once, then again `everyMs` after each end while the tab is visible, and as soon as it is visible again. */
function whileVisible(work: () => Promise<void>, everyMs: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  let isOver = false;
  const run = async () => {
    if (isRunning || isOver || document.hidden) return;
    clearTimeout(timer);
    isRunning = true;
    await work();
    isRunning = false;
    if (!isOver) timer = setTimeout(() => void run(), everyMs);
  };
  const wake = () => void run();
  document.addEventListener("visibilitychange", wake);
  addEventListener("online", wake);
  wake();
  return () => {
    isOver = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", wake);
    removeEventListener("online", wake);
  };
}
