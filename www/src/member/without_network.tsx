// The wallet before anything was heard of the server: the codes of the cards that this device is enrolled for.
import { useState } from "preact/hooks";
import type { EnrolledCard } from "../enrolments.ts";
import { useTexts } from "../i18n.ts";
import { Loading } from "../shell/loading.tsx";
import { Panel } from "./code_panel.tsx";
import { OfflinePanel } from "./offline_panel.tsx";
import { useThisDevice } from "./this_device.ts";

export function WithoutNetwork({ cards }: { cards: readonly EnrolledCard[] }) {
  const texts = useTexts();
  const [chosenId, setChosenId] = useState(cards[0]?.cardId);
  const { wallet } = useThisDevice(chosenId);
  return (
    <div class="wallet">
      <fieldset class="cards">
        <legend>{texts.wallet.cards}</legend>
        {cards.map(({ cardId, cardNo }) => (
          <label key={cardId} class="card">
            <input type="radio" name="card" checked={cardId === chosenId} onChange={() => setChosenId(cardId)} />
            <span class="number">{cardNo}</span>
          </label>
        ))}
      </fieldset>
      <Panel title={texts.offlineCode.title}>
        {wallet === undefined ? <Loading /> : <OfflinePanel key={wallet.handle} wallet={wallet} movement={undefined} />}
      </Panel>
    </div>
  );
}
