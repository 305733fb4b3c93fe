// The devices that pay with a card without a network: this one enrolled, all listed, each revoked.
import type { OfflineWallet } from "@mps/sdk";
import type { Routes } from "@mps/sdk/client";
import { useCallback, useEffect, useState } from "preact/hooks";
import { enrolHere, forgetHere } from "../enrolments.ts";
import { useFormat, useTexts } from "../i18n.ts";
import type { Problem } from "../problem.ts";
import { textOf } from "../shell/form.ts";
import { ProblemNotice } from "../shell/problem_notice.tsx";
import { useSite } from "../shell/site.ts";

type Device = Routes["listDevices"]["output"][number];

interface DevicesProps {
  cardId: string;
  cardNo: string;
  /** This device's own, when it is enrolled. */
  wallet: OfflineWallet | undefined;
  /** It was enrolled, or is no more. */
  onChange: () => void;
}

export function Devices({ cardId, cardNo, wallet, onChange }: DevicesProps) {
  const site = useSite();
  const texts = useTexts().devices;
  const [devices, setDevices] = useState<readonly Device[]>([]);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  const list = useCallback(async () => {
    const found = await site.client.call("listDevices", { card_id: cardId });
    setDevices(found);
    // Revoked elsewhere, its key is of no more use.
    if (wallet === undefined || found.some((device) => device.handle === wallet.handle)) return;
    await forgetHere(wallet);
    onChange();
  }, [site, cardId, wallet, onChange]);
  const work = useCallback(
    async (change: () => Promise<void>) => {
      setBusy(true);
      setProblem(undefined);
      await change().catch((error: unknown) => setProblem(site.problemOf(error)));
      setBusy(false);
    },
    [site],
  );
  useEffect(() => void work(list), [work, list]);

  const enrol = (event: SubmitEvent) => {
    event.preventDefault();
    const label = textOf(event, "label").trim();
    void work(async () => {
      await enrolHere(site.client, { cardId, cardNo }, label);
      onChange();
    });
  };
  const revoke = (device: Device) =>
    work(async () => {
      await site.client.call("revokeDevice", { handle: device.handle });
      if (wallet !== undefined && device.handle === wallet.handle) await forgetHere(wallet);
      onChange();
      await list();
    });
  return (
    <section class="panel devices" aria-labelledby="devices-title">
      <h2 id="devices-title">{texts.title}</h2>
      {problem && <ProblemNotice problem={problem} />}
      {wallet === undefined && (
        <form class="stack" onSubmit={enrol}>
          <p class="faint">{texts.lead}</p>
          <label class="field">
            <span>{texts.label}</span>
            <input name="label" maxLength={64} defaultValue={texts.defaultLabel} required />
          </label>
          <button class="button quiet" type="submit" disabled={isBusy}>
            {texts.enrol}
          </button>
        </form>
      )}
      <ul class="stack">
        {devices.map((device) => (
          <DeviceLine
            key={device.handle}
            device={device}
            isHere={device.handle === wallet?.handle}
            isBusy={isBusy}
            onRevoke={() => void revoke(device)}
          />
        ))}
      </ul>
    </section>
  );
}

interface DeviceLineProps {
  device: Device;
  isHere: boolean;
  isBusy: boolean;
  onRevoke: () => void;
}

function DeviceLine({ device, isHere, isBusy, onRevoke }: DeviceLineProps) {
  const texts = useTexts().devices;
  const format = useFormat();
  return (
    <li class="row">
      <span>
        {device.label} <small class="faint">{isHere ? texts.here : texts.since(format.date(device.enrolled_at))}</small>
      </span>
      <button class="link" type="button" disabled={isBusy} aria-label={texts.revokeOne(device.label)} onClick={onRevoke}>
        {texts.revoke}
      </button>
    </li>
  );
}
