// The payment code of the chosen card: the server's, or this device's own when there is no network or the member wants it.
import type { OfflineWallet } from "@mps/sdk";
import type { MemberCard } from "@mps/sdk/client";
import type { ComponentChildren } from "preact";
import { type Texts, useTexts } from "../i18n.ts";
import { Loading } from "../shell/loading.tsx";
import { ProblemNotice } from "../shell/problem_notice.tsx";
import type { Movement } from "./cards.ts";
import { OfflinePanel } from "./offline_panel.tsx";
import { type PaymentCode, shownSeconds } from "./payment_code.ts";
import { ShownCode } from "./shown_code.tsx";

interface CodePanelProps {
  card: MemberCard;
  code: PaymentCode;
  /** This device's own, when it is enrolled for the card. */
  wallet: OfflineWallet | undefined;
  isOnline: boolean;
  isOfflineChosen: boolean;
  onChooseOffline: (isChosen: boolean) => void;
  movement: Movement | undefined;
}

export function CodePanel({ card, code, wallet, isOnline, isOfflineChosen, onChooseOffline, movement }: CodePanelProps) {
  const texts = useTexts();
  const obstacle = whyNoPayment(card, texts);
  const isUnreachable = !isOnline || (code.state.kind === "failed" && code.state.problem.mayRetry);
  if (obstacle !== undefined) return <Panel title={texts.code.title}><p class="notice">{obstacle}</p></Panel>;
  if (wallet !== undefined && (isOfflineChosen || isUnreachable)) {
    return (
      <Panel title={texts.offlineCode.title}>
        <OfflinePanel key={wallet.handle} wallet={wallet} movement={movement} />
        {isOfflineChosen && (
          <button class="link" type="button" onClick={() => onChooseOffline(false)}>
            {texts.offlineCode.leave}
          </button>
        )}
      </Panel>
    );
  }
  return (
    <Panel title={texts.code.title}>
      <LiveCode code={code} />
      {wallet !== undefined && (
        <button class="link" type="button" onClick={() => onChooseOffline(true)}>
          {texts.offlineCode.use}
        </button>
      )}
    </Panel>
  );
}

export function Panel({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="panel code" aria-labelledby="code-title">
      <h2 id="code-title">{title}</h2>
      {children}
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
      <ShownCode digits={state.digits} renewAt={state.renewAt} lifetimeSeconds={shownSeconds} />
      <button class="button quiet" type="button" onClick={code.hide}>
        {texts.hide}
      </button>
    </>
  );
}
