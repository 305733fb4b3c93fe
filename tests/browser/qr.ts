// QR codes as cameras have them: read from a screenshot by a decoder the site does not use, and played to a camera.
import { writeFileSync } from "node:fs";
import jsqr from "jsqr";
import { PNG } from "pngjs";

// The package is CommonJS with its function under `default`.
const decode = jsqr.default;

/** The text of the QR in a screenshot. */
export function readScreenshot(png: Buffer): string | undefined {
  const { data, width, height } = PNG.sync.read(png);
  return decode(new Uint8ClampedArray(data), width, height)?.data;
}

const frame = { width: 640, height: 480 };

/** A film of one still picture, as Chromium's fake camera takes it: the screenshot in the middle of light grey. */
export function writeFilm(path: string, png: Buffer): void {
  const picture = PNG.sync.read(png);
  const side = 400;
  const luma = Buffer.alloc(frame.width * frame.height, 210);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const from = (Math.floor((y * picture.height) / side) * picture.width + Math.floor((x * picture.width) / side)) * 4;
      const to = (y + (frame.height - side) / 2) * frame.width + x + (frame.width - side) / 2;
      luma[to] = picture.data[from] ?? 0;
    }
  }
  const noColour = Buffer.alloc((frame.width * frame.height) / 2, 128);
  const oneFrame = Buffer.concat([Buffer.from("FRAME\n"), luma, noColour]);
  const head = Buffer.from(`YUV4MPEG2 W${frame.width} H${frame.height} F10:1 Ip A1:1 C420jpeg\n`);
  writeFileSync(path, Buffer.concat([head, ...Array.from({ length: 10 }, () => oneFrame)]));
}
