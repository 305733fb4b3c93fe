// A picture of two colours as PNG (ISO/IEC 15948): one bit a pixel, compressed by the platform's own zlib where it has one.

import type { Colour } from "./look.js";

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const bitDepth = 1;
const indexedColour = 3;
/** Bytes of a stored block. */
const storedMax = 65_535;
/** The largest prime below 2^16. */
const adlerModulus = 65_521;

/** Rows of modules, true for dark, each `scale` pixels wide and high. */
export async function pngOf(
  rows: readonly (readonly boolean[])[],
  scale: number,
  light: Colour,
  dark: Colour,
): Promise<Uint8Array> {
  const width = (rows[0]?.length ?? 0) * scale;
  const height = rows.length * scale;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([bitDepth, indexedColour], 8);
  // A line begins with its filter: none.
  const line = 1 + Math.ceil(width / 8);
  const pixels = new Uint8Array(line * height);
  rows.forEach((row, y) => {
    const start = y * scale * line;
    for (let x = 0; x < width; x += 1) {
      const at = start + 1 + (x >> 3);
      if (row[Math.floor(x / scale)] === true) pixels[at] = (pixels[at] ?? 0) | (0x80 >> (x & 7));
    }
    for (let again = 1; again < scale; again += 1) pixels.copyWithin(start + again * line, start, start + line);
  });
  return joined([
    Uint8Array.from(signature),
    chunk("IHDR", header),
    chunk("PLTE", Uint8Array.from([...light, ...dark])),
    chunk("IDAT", await deflated(pixels)),
    chunk("IEND", new Uint8Array()),
  ]);
}

/** The format of zlib (RFC 1950); the platform's name for it is "deflate". */
async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    // Older platforms lack one or other of these: the picture is the same, only larger.
    return stored(bytes);
  }
}

/** The same format with nothing compressed: stored blocks (RFC 1951, 3.2.4), then Adler's check. Each byte keeps the low eight bits. */
function stored(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  for (let at = 0; at < bytes.length; at += storedMax) {
    const block = bytes.subarray(at, at + storedMax);
    const { length } = block;
    const isLast = at + length === bytes.length;
    parts.push(Uint8Array.of(isLast ? 1 : 0, length, length >> 8, ~length, ~length >> 8), block);
  }
  let [low, high] = [1, 0];
  for (const byte of bytes) {
    low = (low + byte) % adlerModulus;
    high = (high + low) % adlerModulus;
  }
  return joined([...parts, Uint8Array.of(high >> 8, high, low >> 8, low)]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const named = joined([Uint8Array.from(type, (letter) => letter.charCodeAt(0)), data]);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, data.length);
  const check = new Uint8Array(4);
  new DataView(check.buffer).setUint32(0, crc32(named));
  return joined([length, named, check]);
}

/** The check of a chunk, as the format's annex D has it. */
function crc32(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return ~rest >>> 0;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  parts.reduce((at, part) => {
    all.set(part, at);
    return at + part.length;
  }, 0);
  return all;
}
