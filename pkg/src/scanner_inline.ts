// The entry that reads codes with the module inside: for servers, and for tools that know scripts only.

import { bytesOf } from "./base64.js";
import { type ScanOptions, scanWith } from "./camera.js";
import { type Frame, type Scanned, readWith } from "./frames.js";
import { base64 } from "./mps_scanner_base64.js";
import type { WaitOptions } from "./patience.js";

export { CameraError, type CameraReason, type ScanOptions } from "./camera.js";
export { MpsError } from "./errors.js";
export type { Frame, Pixels, Scanned } from "./frames.js";
export type { WaitOptions } from "./patience.js";

const own = (): Uint8Array<ArrayBuffer> => bytesOf(base64);

/**
 * What a picture shows: of several codes the first, a payment code before any other; undefined when it shows no code. Throws
 * MALFORMED_ARGUMENT, the signal's reason, NOT_CONFIGURED where there is no WebAssembly.
 */
export function readFrame(frame: Frame, options?: WaitOptions): Promise<Scanned | undefined> {
  return readWith(own, frame, options);
}

/**
 * Shows the camera in `video` until a code is accepted. The camera is let go whatever happens. Throws CameraError, the signal's reason,
 * MALFORMED_ARGUMENT, NOT_CONFIGURED where there is no WebAssembly.
 */
export function scanCamera(video: HTMLVideoElement, options?: ScanOptions): Promise<Scanned> {
  return scanWith(own, video, options);
}
