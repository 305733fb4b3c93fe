// The camera: looks for a payment code until one is found or the cashier closes it.
import { inspectPaymentCode } from "@mps/sdk";
import { CameraError, scanCamera } from "@mps/sdk/scanner";
import { useEffect, useRef, useState } from "preact/hooks";
import { useTexts } from "../i18n.ts";

const lookEveryMs = 150;

type ScanState = "looking" | "notCode" | "denied" | "none";

interface ScannerProps {
  onCode: (digits: string) => void;
  onClose: () => void;
}

export function Scanner({ onCode, onClose }: ScannerProps) {
  const texts = useTexts().scanner;
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<ScanState>("looking");
  const found = useRef(onCode);
  found.current = onCode;

  useEffect(() => {
    dialog.current?.showModal();
    if (video.current === null) return;
    return look(video.current, setState, (digits) => found.current(digits));
  }, []);
  return (
    <dialog ref={dialog} class="scanner" aria-labelledby="scanner-title" onClose={onClose}>
      <h2 id="scanner-title">{texts.title}</h2>
      <div class="view">
        <video ref={video} muted playsInline />
        <span class="aim" aria-hidden="true" />
      </div>
      <p aria-live="polite">{state === "looking" ? texts.hint : texts[state]}</p>
      <button class="button" type="button" onClick={() => dialog.current?.close()}>
        {texts.close}
      </button>
    </dialog>
  );
}

/** Answers the function that ends it and lets the camera go. */
function look(video: HTMLVideoElement, onState: (state: ScanState) => void, onCode: (digits: string) => void): () => void {
  const closing = new AbortController();
  const { signal } = closing;
  const accept = ({ text }: { text: string }) => {
    const isCode = inspectPaymentCode(text.trim()) !== null;
    if (!isCode) onState("notCode");
    return isCode;
  };
  scanCamera(video, { signal, accept, everyMs: lookEveryMs }).then(
    ({ text }) => onCode(text.trim()),
    (error: unknown) => {
      if (!signal.aborted) onState(error instanceof CameraError && error.reason === "denied" ? "denied" : "none");
    },
  );
  return () => closing.abort();
}
