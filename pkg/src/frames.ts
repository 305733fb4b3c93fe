// Reading codes out of pictures: by the platform's own detector where it knows both kinds, else by WebAssembly, loaded at the first use.

import { moduleOf, startModule } from "./modules.js";
import * as glue from "./mps_scanner.js";
import { type Patience, type WaitOptions, waitFor } from "./patience.js";
import { isPaymentCode } from "./payment_code.js";
import { malformed, mpsErrorOf } from "./thrown.js";
import type { WasmSource } from "./types.js";
import { checkWebAssembly, isTrap } from "./web_assembly.js";

/** A code that was read. */
export interface Scanned {
  readonly text: string;
  /** A bar code is read when it is a payment code; a QR code whatever it says. */
  readonly format: "qr_code" | "code_128";
}

/** Pixels as `ImageData` has them: red, green, blue and opacity, row by row. */
export interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** A picture: pixels, or what a page can draw. */
export type Frame = Pixels | HTMLVideoElement | HTMLCanvasElement | HTMLImageElement | OffscreenCanvas | ImageBitmap;

/** Where this entry has its module from. */
export type Own = () => WasmSource | Promise<WasmSource>;

type Read = (frame: Frame) => Scanned[];

interface Detector {
  detect(source: unknown): Promise<readonly { readonly rawValue: string; readonly format: string }[]>;
}
interface DetectorClass {
  new (options: { formats: readonly string[] }): Detector;
  getSupportedFormats(): Promise<readonly string[]>;
}

const formats = ["qr_code", "code_128"];
const sideMax = 4096;
/** Larger frames are drawn smaller: a code is read no better in them, only later. */
const drawnSideMax = 1280;

/** The platform's own detector is looked for once. */
let looking: Promise<Detector | undefined> | undefined;
let loading: Promise<Read> | undefined;
let loaded: Read | undefined;

/** The detector is asked no more when it took longer once: its service hangs, on some systems for good. */
const detectorMsMax = 3_000;

/**
 * What a picture shows, a payment code before any other. Throws MALFORMED_ARGUMENT, the signal's reason, UNAVAILABLE when the module does
 * not come, NOT_CONFIGURED where there is no WebAssembly.
 */
export async function readWith(own: Own, frame: Frame, options: WaitOptions = {}): Promise<Scanned | undefined> {
  const [first] = await readAllWith(own, frame, options);
  return first;
}

/** All codes of a picture, payment codes first. Throws as `readWith`. */
export async function readAllWith(own: Own, frame: Frame, options: WaitOptions): Promise<readonly Scanned[]> {
  checkFrame(frame);
  const found = await waitFor(options, async (patience) => (await readByDetector(frame, patience)) ?? (await readByModule(own, frame, patience)));
  return found.sort((one, other) => Number(isPaymentCode(other.text)) - Number(isPaymentCode(one.text)));
}

/** Its service may be absent, give up or hang: the module reads without it. */
async function readByDetector(frame: Frame, patience: Patience): Promise<Scanned[] | undefined> {
  const detecting = async (): Promise<Scanned[] | undefined> => {
    const detector = await (looking ??= ownDetector().catch(() => undefined));
    return detector === undefined ? undefined : detect(detector, frame).catch(() => undefined);
  };
  try {
    return await waitFor({ signal: patience.signal, timeoutMs: detectorMsMax }, detecting);
  } catch {
    if (!patience.signal.aborted) looking = Promise.resolve(undefined);
    return undefined;
  }
}

async function readByModule(own: Own, frame: Frame, patience: Patience): Promise<Scanned[]> {
  const read = (loaded ??= await loadedBy(own, patience));
  try {
    return read(frame);
  } catch (error) {
    throw mpsErrorOf(error, isTrap(error) ? "INTERNAL" : "MALFORMED_ARGUMENT");
  }
}

async function loadedBy(own: Own, patience: Patience): Promise<Read> {
  try {
    return await patience.within((loading ??= load(own)));
  } catch (error) {
    // What did not come, or not in time, is asked for anew.
    loading = undefined;
    throw error;
  }
}

async function ownDetector(): Promise<Detector | undefined> {
  const { BarcodeDetector } = globalThis as { BarcodeDetector?: DetectorClass };
  if (BarcodeDetector === undefined) return undefined;
  const known = await BarcodeDetector.getSupportedFormats();
  return formats.every((format) => known.includes(format)) ? new BarcodeDetector({ formats }) : undefined;
}

async function detect(detector: Detector, frame: Frame): Promise<Scanned[]> {
  const found = await detector.detect(isPixels(frame) ? imageDataOf(frame) : frame);
  const codes = found.map(({ rawValue, format }) => ({ text: rawValue, format }));
  return codes.filter((code): code is Scanned => {
    return code.format === "qr_code" || (code.format === "code_128" && isPaymentCode(code.text));
  });
}

async function load(own: Own): Promise<Read> {
  checkWebAssembly();
  try {
    await startModule(glue, await moduleOf(await own()));
  } catch (cause) {
    throw mpsErrorOf(cause, "UNAVAILABLE");
  }
  const draw = drawer();
  return (frame) => {
    const pixels = isPixels(frame) ? frame : draw(frame);
    return pixels === undefined ? [] : glue.readFrame(bytesOf(pixels.data), pixels.width, pixels.height);
  };
}

function checkFrame(frame: unknown): void {
  try {
    if (typeof frame !== "object" || frame === null) throw malformed("frame");
    if (!isPixels(frame)) {
      if (sizeOf(frame) === undefined) throw malformed("frame");
      return;
    }
    const { data, width, height } = frame;
    const sides = [width, height].every((side) => Number.isInteger(side) && side > 0 && side <= sideMax);
    const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
    if (!isBytes || !sides || data.length !== width * height * 4) throw malformed("frame");
  } catch (error) {
    throw mpsErrorOf(error, "MALFORMED_ARGUMENT");
  }
}

function isPixels(frame: object): frame is Pixels {
  return "data" in frame;
}

function imageDataOf({ data, width, height }: Pixels): ImageData {
  return new ImageData(Uint8ClampedArray.from(data), width, height);
}

function bytesOf(data: Uint8Array | Uint8ClampedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

type Drawable = Exclude<Frame, Pixels>;

/** A picture's own size in pixels; 0 while a video has no frame yet. */
function sizeOf(frame: object): readonly [number, number] | undefined {
  const { videoWidth, videoHeight, naturalWidth, naturalHeight, width, height } = frame as Record<string, unknown>;
  const sizes = [[videoWidth, videoHeight], [naturalWidth, naturalHeight], [width, height]] as const;
  return sizes.find((size): size is readonly [number, number] => size.every((side) => typeof side === "number" && side >= 0));
}

/** Draws pictures onto one canvas, to have their pixels. */
function drawer(): (frame: Drawable) => Pixels | undefined {
  let canvas: HTMLCanvasElement | OffscreenCanvas | undefined;
  return (frame) => {
    const [wide, high] = sizeOf(frame) ?? [0, 0];
    if (wide === 0 || high === 0) return undefined;
    const shrink = Math.min(1, drawnSideMax / Math.max(wide, high));
    const [width, height] = [Math.max(1, Math.round(wide * shrink)), Math.max(1, Math.round(high * shrink))];
    canvas ??= typeof OffscreenCanvas === "undefined" ? document.createElement("canvas") : new OffscreenCanvas(width, height);
    [canvas.width, canvas.height] = [width, height];
    const options = { willReadFrequently: true };
    const context = canvas.getContext("2d", options) as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null;
    if (context === null) return undefined;
    context.drawImage(frame, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  };
}
