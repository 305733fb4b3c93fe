// The entry that reads codes, for browsers and bundlers: its module is fetched from beside the script, at the first frame that needs it.

import { type ScanOptions, scanWith } from "./camera.js";
import { type Frame, type Scanned, readWith } from "./frames.js";
import type { WaitOptions } from "./patience.js";

export { CameraError, type CameraReason, type ScanOptions } from "./camera.js";
export { MpsError } from "./errors.js";
export type { Frame, Pixels, Scanned } from "./frames.js";
export type { WaitOptions } from "./patience.js";

const own = (): URL => new URL("./mps_scanner_bg.wasm", import.meta.url);

/**
 * What a picture shows: of several codes the first, a payment code before any other; undefined when it shows no code. Throws
 * MALFORMED_ARGUMENT, the signal's reason, UNAVAILABLE when the module does not come, NOT_CONFIGURED where there is no WebAssembly.
 */
export function readFrame(frame: Frame, options?: WaitOptions): Promise<Scanned | undefined> {
  return readWith(own, frame, options);
}

/**
 * Shows the camera in `video` until a code is accepted. The camera is let go whatever happens. Throws CameraError, the signal's reason,
 * MALFORMED_ARGUMENT, UNAVAILABLE when the module does not come.
 */
export function scanCamera(video: HTMLVideoElement, options?: ScanOptions): Promise<Scanned> {
  return scanWith(own, video, options);
}
