// The member's cards, asked again every few seconds while somebody looks, so that a payment shows by itself.
import type { MemberCard, MpsClient } from "@mps/sdk/client";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { isSame } from "../amounts.ts";
import type { Problem } from "../problem.ts";
import { useSite } from "../shell/site.ts";

const pollEveryMs = 3_000;

/** Why a card's balance moved. */
export type Movement = { card: MemberCard } & (
  /** `isOwn`: nobody but this member pays with the card. `madeAt` is of the server's clock. */
  | { kind: "payment"; amount: string; madeAt: string; isOwn: boolean }
  | { kind: "credit"; amount: string }
  | { kind: "other" }
);

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
  // What was told of: each card's balance, and transactions.
  const told = useRef({ balances: new Map<string, string>(), txIds: new Set<string>() });
  const report = useRef(onMovement);
  report.current = onMovement;

  const ask = useCallback(async () => {
    try {
      const answer = await site.client.cards();
      setCards(answer);
      for (const card of answer) {
        const { balances, txIds } = told.current;
        const earlier = balances.get(card.card_id);
        if (earlier !== undefined && !isSame(earlier, card.balance)) report.current(await movementOf(site.client, card, txIds));
        // Only now: why it moved is asked for again when there was no answer.
        balances.set(card.card_id, card.balance);
      }
      setProblem(undefined);
    } catch (error) {
      setProblem(site.problemOf(error));
    }
  }, [site]);

  useEffect(() => whileVisible(ask, pollEveryMs), [ask]);
  return { cards, problem, ask: () => void ask() };
}

/** What the card's newest transaction that was not told of says. A voucher loses more than it paid, and others may pay with a shared card. */
async function movementOf(client: MpsClient, card: MemberCard, toldTxIds: Set<string>): Promise<Movement> {
  const [rows, { members }] = await Promise.all([
    client.call("listMemberTransactions", {}),
    client.call("getCard", { card_id: card.card_id }),
  ]);
  const newest = rows.find((row) => row.card_id === card.card_id && !toldTxIds.has(row.tx_id));
  for (const row of rows) if (row.card_id === card.card_id) toldTxIds.add(row.tx_id);
  switch (newest?.tx_type) {
    case "payment":
      return { card, kind: "payment", amount: newest.final_amount, madeAt: newest.created_at, isOwn: members === 1 };
    case "refund":
    case "recharge":
      return { card, kind: "credit", amount: newest.final_amount };
    default:
      return { card, kind: "other" };
  }
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
