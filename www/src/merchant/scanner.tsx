// The camera: looks for a payment code until one is found or the cashier closes it.
import { inspectPaymentCode } from "@mps/sdk";
import { useEffect, useRef, useState } from "preact/hooks";
import { useTexts } from "../i18n.ts";
import { openReader } from "./qr_reader.ts";

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
  let stream: MediaStream | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const end = () => {
    isOver = true;
    clearTimeout(timer);
    for (const track of stream?.getTracks() ?? []) track.stop();
  };
  const run = async () => {
    stream = await openCamera();
    // Closed while the browser was asking for permission.
    if (isOver) return end();
    video.srcObject = stream;
    await video.play();
    const read = await openReader();
    const again = async () => {
      const text = (await read(video))?.trim();
      if (isOver) return;
      if (text !== undefined && inspectPaymentCode(text) !== null) return onCode(text);
      if (text !== undefined) onState("notCode");
      timer = setTimeout(() => void again(), lookEveryMs);
    };
    await again();
  };
  run().catch((error: unknown) => {
    if (isOver) return;
    onState(error instanceof DOMException && error.name === "NotAllowedError" ? "denied" : "none");
  });
  return end;
}

function openCamera(): Promise<MediaStream> {
  // Absent where the page is not served over HTTPS.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) return Promise.reject(new Error("no camera interface"));
  return devices.getUserMedia({ video: { facingMode: { ideal: "environment" } }, audio: false });
}
