// The wallet: the member's cards, the payment code of the chosen one, and word of a payment as it happens.
import { useEffect, useState } from "preact/hooks";
import { type Texts, useFormat, useTexts } from "../i18n.ts";
import { Loading } from "../shell/loading.tsx";
import { useOnline } from "../shell/online.ts";
import { ProblemNotice } from "../shell/problem_notice.tsx";
import { CardPicture } from "./card_picture.tsx";
import { type Movement, useCards } from "./cards.ts";
import { CodePanel, whyNoPayment } from "./code_panel.tsx";
import { Devices } from "./devices.tsx";
import { usePaymentCode } from "./payment_code.ts";
import { useThisDevice } from "./this_device.ts";

const noticeMs = 12_000;

export function Wallet() {
  const texts = useTexts();
  const [chosenId, setChosenId] = useState<string>();
  const [movement, setMovement] = useState<Movement>();
  const { cards, problem, ask } = useCards(setMovement);
  const chosen = cards?.find((card) => card.card_id === chosenId) ?? cards?.find((card) => card.pays) ?? cards?.[0];
  const payingId = chosen !== undefined && whyNoPayment(chosen, texts) === undefined ? chosen.card_id : undefined;
  const isOnline = useOnline();
  const [isOfflineChosen, setOfflineChosen] = useState(false);
  const { wallet, look } = useThisDevice(payingId);
  const isOffline = isOfflineChosen && wallet !== undefined;
  const code = usePaymentCode(isOffline ? undefined : payingId);

  useEffect(() => {
    if (movement === undefined) return;
    // With a shared card somebody else may have paid: the code may be in the middle of being scanned, and stays.
    const isOwnPayment = movement.kind === "payment" && movement.isOwn && movement.card.card_id === payingId;
    if (isOwnPayment) code.replaceSpent(movement.madeAt);
    const timer = setTimeout(() => setMovement(undefined), noticeMs);
    return () => clearTimeout(timer);
    // Only a new movement counts here, not another choice of card.
  }, [movement]);

  if (cards === undefined) return problem ? <ProblemNotice problem={problem} onRetry={ask} /> : <Loading />;
  if (chosen === undefined) return <p class="notice">{texts.wallet.noCards}</p>;
  return (
    <>
      <div class="live" aria-live="assertive">
        {movement && <MovementNotice movement={movement} />}
        {problem && <p class="strip">{problem.mayRetry ? texts.reconnecting : texts.errors[problem.code].what}</p>}
      </div>
      <div class="wallet">
        <fieldset class="cards">
          <legend>{texts.wallet.cards}</legend>
          {cards.map((card) => (
            <CardPicture
              key={card.card_id}
              card={card}
              isChosen={card.card_id === chosen.card_id}
              onChoose={() => setChosenId(card.card_id)}
            />
          ))}
        </fieldset>
        <CodePanel
          card={chosen}
          code={code}
          wallet={wallet}
          isOnline={isOnline}
          isOfflineChosen={isOfflineChosen}
          onChooseOffline={setOfflineChosen}
          movement={movement}
        />
        {payingId !== undefined && isOnline && (
          <Devices key={payingId} cardId={payingId} cardNo={chosen.card_no} wallet={wallet} onChange={look} />
        )}
      </div>
    </>
  );
}

function MovementNotice({ movement }: { movement: Movement }) {
  const texts = useTexts().wallet;
  const format = useFormat();
  return (
    <div class="notice good">
      <p class="what">{wordsOf(movement, texts, format.money)}</p>
      <p>{texts.paidBalance(format.money(movement.card.balance))}</p>
    </div>
  );
}

function wordsOf(movement: Movement, texts: Texts["wallet"], money: (amount: string) => string): string {
  const name = movement.card.name ?? texts.types[movement.card.card_type];
  if (movement.kind === "credit") return texts.credited(money(movement.amount));
  if (movement.kind === "other") return texts.changed(name);
  return movement.isOwn ? texts.paid(money(movement.amount)) : texts.paidWith(name, money(movement.amount));
}
