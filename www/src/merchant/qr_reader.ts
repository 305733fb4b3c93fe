// Reading a QR out of a video frame: the browser's own detector where there is one, else a decoder fetched on demand.

/** The text of a QR in the frame, if one can be read. */
export type ReadQr = (video: HTMLVideoElement) => Promise<string | undefined>;

interface BarcodeDetectorLike {
  detect(source: CanvasImageSource): Promise<{ rawValue: string }[]>;
}
interface BarcodeDetectorType {
  new (options: { formats: string[] }): BarcodeDetectorLike;
  getSupportedFormats(): Promise<string[]>;
}

export async function openReader(): Promise<ReadQr> {
  const { BarcodeDetector: Detector } = globalThis as { BarcodeDetector?: BarcodeDetectorType };
  if (Detector !== undefined && (await Detector.getSupportedFormats()).includes("qr_code")) {
    const detector = new Detector({ formats: ["qr_code"] });
    return async (video) => (await detector.detect(video))[0]?.rawValue;
  }
  return openDecoder();
}

async function openDecoder(): Promise<ReadQr> {
  const { default: decodeQR } = await import("qr/decode.js");
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("no 2d canvas");
  return (video) => {
    if (video.videoWidth === 0) return Promise.resolve(undefined);
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    context.drawImage(video, 0, 0);
    return Promise.resolve(decodeOrNothing(decodeQR, context.getImageData(0, 0, canvas.width, canvas.height)));
  };
}

/** The decoder throws on every frame without a QR. */
function decodeOrNothing(decode: (image: ImageData) => string, image: ImageData): string | undefined {
  try {
    return decode(image);
  } catch {
    return undefined;
  }
}
