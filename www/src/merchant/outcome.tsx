// How a charge ended: paid, refused, or not known yet.
import type { Charge, ErrorCode } from "@mps/sdk/client";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useFormat, useTexts } from "../i18n.ts";
import type { Problem } from "../problem.ts";
import { ProblemWords } from "../shell/problem_notice.tsx";

/** Takes the focus, so that a screen reader reads it and Enter goes on. */
function Outcome({ kind, title, children }: { kind: "good" | "bad" | "open"; title: string; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [kind]);
  return (
    <section class={`panel narrow outcome ${kind}`} role={kind === "good" ? "status" : "alert"}>
      <span class="sign" aria-hidden="true">
        {{ good: "✓", bad: "✕", open: "?" }[kind]}
      </span>
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </section>
  );
}

export function Success({ charge, onNew }: { charge: Charge; onNew: () => void }) {
  const texts = useTexts();
  const format = useFormat();
  const discount = format.discount(charge.discount);
  return (
    <Outcome kind="good" title={texts.pos.success}>
      <p class="sum">{format.money(charge.final_amount)}</p>
      {charge.replayed && <p class="notice">{texts.pos.replayed}</p>}
      <dl class="sums">
        <dt>{texts.pos.txNo}</dt>
        <dd class="number">{charge.tx_no}</dd>
        <dt>{texts.pos.time}</dt>
        <dd>{format.time(charge.created_at)}</dd>
        <dt>{texts.pos.rawAmount}</dt>
        <dd>{format.money(charge.raw_amount)}</dd>
        <dt>{texts.pos.discount}</dt>
        <dd>
          {discount ?? texts.wallet.noDiscount} <small>{discount && texts.wallet.sources[charge.discount_source]}</small>
        </dd>
        <dt>{texts.pos.pointsEarned}</dt>
        <dd>{texts.wallet.points(format.whole(charge.points_earned))}</dd>
      </dl>
      <button class="button large" type="button" onClick={onNew}>
        {texts.pos.newCharge}
      </button>
    </Outcome>
  );
}

/** What to change after a refusal; the others begin anew. */
const whatToChange: Partial<Record<ErrorCode, "code" | "amount">> = {
  INVALID_QR: "code",
  QR_EXPIRED_OR_INVALID: "code",
  CARD_NOT_FOUND: "code",
  CARD_NOT_ACTIVE: "code",
  CARD_EXPIRED: "code",
  CARD_DAILY_LIMIT_EXCEEDED: "code",
  MEMBER_NOT_ACTIVE: "code",
  UNSUPPORTED_CARD_TYPE_FOR_PAYMENT: "code",
  OFFLINE_LIMIT_EXCEEDED: "code",
  INSUFFICIENT_BALANCE: "code",
  INVALID_PRICE: "amount",
  AMOUNT_OVER_LIMIT: "amount",
};

interface RefusalProps {
  problem: Problem;
  onNew: () => void;
  onChangeCode: () => void;
  onChangeAmount: () => void;
}

export function Refusal({ problem, onNew, onChangeCode, onChangeAmount }: RefusalProps) {
  const texts = useTexts().pos;
  const change = whatToChange[problem.code];
  return (
    <Outcome kind="bad" title={texts.refused}>
      <ProblemWords problem={problem} />
      {change === "code" && (
        <button class="button large" type="button" onClick={onChangeCode}>
          {texts.changeCode}
        </button>
      )}
      {change === "amount" && (
        <button class="button large" type="button" onClick={onChangeAmount}>
          {texts.changeAmount}
        </button>
      )}
      <button class={change === undefined ? "button large" : "button quiet"} type="button" onClick={onNew}>
        {texts.newCharge}
      </button>
    </Outcome>
  );
}

/** The charge's key was used for another one: nothing was done of this one, but nobody here knows of that. */
export function KeyUsed({ onNew }: { onNew: () => void }) {
  const texts = useTexts().pos;
  return (
    <Outcome kind="open" title={texts.keyUsed}>
      <p>{texts.keyUsedNext}</p>
      <button class="button large" type="button" onClick={onNew}>
        {texts.newCharge}
      </button>
    </Outcome>
  );
}

interface UnknownProps {
  problem: Problem;
  onRetry: () => void;
  onLeave: () => void;
}

/** The answer was lost: the same key asks again. Leaving it takes a second tap after the first one's warning, for it may have been paid. */
export function Unknown({ problem, onRetry, onLeave }: UnknownProps) {
  const texts = useTexts();
  const [isSure, setSure] = useState(false);
  // The second half of a double click has seen no warning.
  const leave = (event: MouseEvent) => {
    if (!isSure) setSure(true);
    else if (event.detail < 2) onLeave();
  };
  return (
    <Outcome kind="open" title={texts.pos.unknown}>
      <p>{texts.pos.unknownNext}</p>
      <p class="faint">{texts.errors[problem.code].what}</p>
      {problem.requestId !== undefined && <p class="faint">{texts.requestId(problem.requestId)}</p>}
      <button class="button large" type="button" onClick={onRetry}>
        {texts.retry}
      </button>
      {isSure && <p class="notice bad">{texts.pos.leaveSure}</p>}
      <button class="button quiet" type="button" onClick={leave}>
        {texts.pos.leave}
      </button>
    </Outcome>
  );
}
