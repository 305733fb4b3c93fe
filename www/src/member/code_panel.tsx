// The payment code on the screen: the QR, its digits, and how long until the next.
import { qrSvg } from "@mps/sdk";
import type { MemberCard } from "@mps/sdk/client";
import { useEffect, useMemo, useState } from "preact/hooks";
import { inFours } from "../digits.ts";
import { type Texts, useTexts } from "../i18n.ts";
import { Loading } from "../shell/loading.tsx";
import { ProblemNotice } from "../shell/problem_notice.tsx";
import type { PaymentCode } from "./payment_code.ts";

export function CodePanel({ card, code }: { card: MemberCard; code: PaymentCode }) {
  const texts = useTexts().code;
  const obstacle = whyNoPayment(card, useTexts());
  return (
    <section class="panel code" aria-labelledby="code-title">
      <h2 id="code-title">{texts.title}</h2>
      {obstacle === undefined ? <LiveCode code={code} /> : <p class="notice">{obstacle}</p>}
    </section>
  );
}

/** Why the card shows no code; undefined when it may pay. */
export function whyNoPayment(card: MemberCard, texts: Texts): string | undefined {
  if (card.status !== "active") return texts.code.cannotPay.status(texts.wallet.statuses[card.status]);
  if (card.role === "viewer") return texts.code.cannotPay.viewer;
  return card.pays ? undefined : texts.code.cannotPay.type;
}

function LiveCode({ code }: { code: PaymentCode }) {
  const texts = useTexts().code;
  const { state } = code;
  if (state.kind === "making") return <Loading />;
  if (state.kind === "failed") return <ProblemNotice problem={state.problem} onRetry={code.renew} />;
  if (state.kind === "hidden") {
    return (
      <>
        <p class="notice" role="status">
          {texts.hidden}
        </p>
        <button class="button" type="button" onClick={code.renew}>
          {texts.show}
        </button>
      </>
    );
  }
  return (
    <>
      <p class="faint">{texts.hint}</p>
      <QrPicture digits={state.digits} />
      <p class="digits" role="group" aria-label={texts.digits}>
        {inFours(state.digits).map((four, position) => (
          <span key={position}>{four}</span>
        ))}
      </p>
      <Countdown renewAt={state.renewAt} />
      <button class="button quiet" type="button" onClick={code.hide}>
        {texts.hide}
      </button>
    </>
  );
}

function QrPicture({ digits }: { digits: string }) {
  const texts = useTexts().code;
  const source = useMemo(() => `data:image/svg+xml,${encodeURIComponent(qrSvg(digits))}`, [digits]);
  return <img class="qr" src={source} alt={texts.image} width="232" height="232" />;
}

const lifetimeShownSeconds = 55;

function Countdown({ renewAt }: { renewAt: number }) {
  const texts = useTexts().code;
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [renewAt]);
  const seconds = Math.max(0, Math.ceil((renewAt - now) / 1000));
  return (
    <div class="countdown" role="timer">
      <span class="track" aria-hidden="true">
        <span style={{ transform: `scaleX(${Math.min(1, seconds / lifetimeShownSeconds)})` }} />
      </span>
      <small>{seconds > 0 ? texts.refreshIn(String(seconds)) : texts.refreshing}</small>
    </div>
  );
}
