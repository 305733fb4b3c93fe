// A code on the screen: the QR, its digits, and how long until the next.
import { qrSvg } from "@mps/sdk";
import { useEffect, useMemo, useState } from "preact/hooks";
import { inFours } from "../digits.ts";
import { useTexts } from "../i18n.ts";

export function ShownCode({ digits, renewAt, lifetimeSeconds }: { digits: string; renewAt: number; lifetimeSeconds: number }) {
  const texts = useTexts().code;
  return (
    <>
      <QrPicture digits={digits} />
      <p class="digits" role="group" aria-label={texts.digits}>
        {inFours(digits).map((four, position) => (
          <span key={position}>{four}</span>
        ))}
      </p>
      <Countdown renewAt={renewAt} lifetimeSeconds={lifetimeSeconds} />
    </>
  );
}

function QrPicture({ digits }: { digits: string }) {
  const texts = useTexts().code;
  const source = useMemo(() => `data:image/svg+xml,${encodeURIComponent(qrSvg(digits))}`, [digits]);
  return <img class="qr" src={source} alt={texts.image} width="232" height="232" />;
}

/** Whole seconds until a moment of this device's clock; never below 0. */
export function useSecondsUntil(moment: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [moment]);
  return Math.max(0, Math.ceil((moment - now) / 1000));
}

function Countdown({ renewAt, lifetimeSeconds }: { renewAt: number; lifetimeSeconds: number }) {
  const texts = useTexts().code;
  const seconds = useSecondsUntil(renewAt);
  return (
    <div class="countdown" role="timer">
      <span class="track" aria-hidden="true">
        <span style={{ transform: `scaleX(${Math.min(1, seconds / lifetimeSeconds)})` }} />
      </span>
      <small>{seconds > 0 ? texts.refreshIn(String(seconds)) : texts.refreshing}</small>
    </div>
  );
}
