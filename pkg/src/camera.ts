// The camera: opened, looked through until a code is accepted or the caller wants it no more, and always let go.

import { MpsError } from "./errors.js";
import type { Own, Scanned } from "./frames.js";
import { readAllWith } from "./frames.js";
import { type WaitOptions, checkedWait, waitFor } from "./patience.js";
import { reasonOf, throwIfAborted, unlessAborted } from "./signals.js";
import { isOne, malformed } from "./thrown.js";

/** Why no camera can be looked through: the user or the system forbids it, there is none, another program has it, or the page may not ask. */
export type CameraReason = "denied" | "absent" | "busy" | "unsupported";

/** No camera: `reason` says why. Its code is PERMISSION_DENIED when it is forbidden, else UNAVAILABLE. */
export class CameraError extends MpsError {
  override readonly name = "CameraError";
  readonly reason: CameraReason;

  /** What became of the camera, and the browser's own error. */
  constructor(reason: CameraReason, cause?: unknown) {
    super(reason === "denied" ? "PERMISSION_DENIED" : "UNAVAILABLE", { params: { reason }, cause });
    this.reason = reason;
  }
}

/** How to look through the camera. */
export interface ScanOptions {
  /** Ends it; the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that an allowed camera may take to show its first picture, and each look at one; 15000 when left out. Users may take their time. */
  readonly timeoutMs?: number | undefined;
  /** Whether a code is the one that is looked for; any is when left out. It is asked of every code of a frame, payment codes first. */
  readonly accept?: ((scanned: Scanned) => boolean) | undefined;
  /** Milliseconds between two looks: 20 to 5000, 100 when left out. */
  readonly everyMs?: number | undefined;
  /** The camera that is preferred; the one that looks away from the user when left out. */
  readonly facingMode?: "environment" | "user" | undefined;
}

const reasons: Readonly<Record<string, CameraReason>> = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "absent",
  OverconstrainedError: "absent",
};

/**
 * Shows the camera in `video` until a code is accepted. The camera is let go whatever happens. Throws CameraError, the signal's reason,
 * MALFORMED_ARGUMENT, UNAVAILABLE when the module does not come.
 */
export async function scanWith(own: Own, video: HTMLVideoElement, options: ScanOptions = {}): Promise<Scanned> {
  const { signal, timeoutMs, accept, everyMs = 100, facingMode = "environment" } = checkedWait(options);
  if (accept !== undefined && typeof accept !== "function") throw malformed("accept");
  if (typeof everyMs !== "number" || !(everyMs >= 20 && everyMs <= 5000)) throw malformed("everyMs");
  if (facingMode !== "environment" && facingMode !== "user") throw malformed("facingMode");
  // Absent where the page is not served over HTTPS, and where there is no page.
  const devices = (globalThis.navigator as { mediaDevices?: MediaDevices } | undefined)?.mediaDevices;
  if (devices === undefined) throw new CameraError("unsupported");
  if (!isOne(video, globalThis.HTMLVideoElement)) throw malformed("video");
  throwIfAborted(signal);
  const stream = await openCamera(devices, facingMode, signal);
  try {
    await show(video, stream, { signal, timeoutMs });
    for (;;) {
      for (const scanned of await readAllWith(own, video, { signal, timeoutMs })) {
        if (accept === undefined || accept(scanned)) return scanned;
        // Whoever ends it is asked no more, not even of this frame.
        throwIfAborted(signal);
      }
      if (stream.getVideoTracks().every((track) => track.readyState === "ended")) throw new CameraError("busy");
      await unlessAborted(new Promise<void>((resolve) => setTimeout(resolve, everyMs)), signal);
    }
  } finally {
    stop(stream);
    video.srcObject = null;
  }
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

async function openCamera(devices: MediaDevices, facingMode: string, signal: AbortSignal | undefined): Promise<MediaStream> {
  let asked: Promise<MediaStream> | undefined;
  try {
    asked = devices.getUserMedia({ video: { facingMode: { ideal: facingMode } }, audio: false });
    return await unlessAborted(asked, signal);
  } catch (error) {
    if (signal?.aborted === true) {
      // The user may still allow it: nobody looks any more.
      void asked?.then(stop, () => undefined);
      throw reasonOf(signal);
    }
    throw cameraErrorOf(error);
  }
}

/** Plays the camera in the video. */
async function show(video: HTMLVideoElement, stream: MediaStream, options: WaitOptions): Promise<void> {
  try {
    // An iPhone plays in the page, and without being tapped, only what is both.
    video.playsInline = true;
    video.muted = true;
    video.srcObject = stream;
    await waitFor(options, () => video.play());
  } catch (error) {
    throwIfAborted(options.signal);
    throw cameraErrorOf(error instanceof MpsError ? error.cause : error);
  }
}

/** The browser's own refusal, as what it means for the user. */
function cameraErrorOf(error: unknown): CameraError {
  return new CameraError(error instanceof DOMException ? (reasons[error.name] ?? "busy") : "busy", error);
}
