// Pictures of payment codes as cameras have them, the same ones at every run: any size, turned, seen from behind, light on dark, in shadow, out
// of focus, noisy.

import * as mps from "@mps/sdk";

const codes = ["701234567890123456789017", "700000000000000000000005", "709999999999999999999996"] as const;

/** How a code is seen. Lengths are in pixels, angles in degrees, shades from 0 to 255. */
export interface View {
  readonly isBars?: boolean;
  /** Pixels a module. */
  readonly scale: number;
  readonly margin?: number;
  /** Around the code's own paper, of its paper, of its modules. */
  readonly page?: number;
  readonly card?: number;
  readonly ink?: number;
  readonly degrees?: number;
  readonly isMirrored?: boolean;
  /** Of a Gaussian. */
  readonly blur?: number;
  readonly noise?: number;
  /** How much nearer one side is. */
  readonly tilt?: number;
  /** The part of the light that a place has, by its parts of width and height. */
  readonly light?: (x: number, y: number) => number;
}

export interface Picture {
  readonly code: string;
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** Modules: so many in a row, so many rows, and which are dark. */
interface Symbol {
  readonly wide: number;
  readonly high: number;
  readonly isDark: (x: number, y: number) => boolean;
}

function qrOf(code: string): Symbol {
  const { modules } = mps.qrMatrix(code);
  return { wide: 21, high: 21, isDark: (x, y) => modules[y * 21 + x] === 1 };
}

function barsOf(code: string, high: number): Symbol {
  const dark = new Set<number>();
  for (const [, from, width] of mps.barcodeSvg(code).matchAll(/M(\d+) 0h(\d+)v/g)) for (let at = 0; at < Number(width); at += 1) dark.add(Number(from) + at);
  return { wide: Math.max(...dark) + 1, high, isDark: (x) => dark.has(x) };
}

/** Numbers from 0 to 1, the same at every run. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a camera has of a code, seen so. */
export function pictureOf(view: View, seed: number): Picture {
  const code = codes[seed % codes.length] ?? codes[0];
  const symbol = view.isBars === true ? barsOf(code, 60 / Math.min(view.scale, 2)) : qrOf(code);
  const { shades, width, height } = drawn(symbol, view);
  const { light, noise = 0 } = view;
  if (light !== undefined) for (let at = 0; at < shades.length; at += 1) shades[at] = (shades[at] ?? 0) * light((at % width) / width, Math.floor(at / width) / height);
  const seen = blurred(shades, width, height, view.blur ?? 0);
  const random = randomFrom(seed);
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (const [at, shade] of seen.entries()) data.fill(shade + (random() + random() + random() - 1.5) * 2 * noise, at * 4, at * 4 + 3);
  return { code, data, width, height };
}

function drawn(symbol: Symbol, view: View): { shades: Float32Array; width: number; height: number } {
  const { scale, margin = 20, page = 255, card = 255, ink = 0, degrees = 0, isMirrored = false, tilt = 0 } = view;
  const paper = view.isBars === true ? 10 : 4;
  const [wide, high] = [symbol.wide * scale, symbol.high * scale];
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const [boxWide, boxHigh] = [Math.abs(wide * cos) + Math.abs(high * sin), Math.abs(wide * sin) + Math.abs(high * cos)];
  const [width, height] = [boxWide, boxHigh].map((side) => Math.max(40, Math.round(side + 2 * margin))) as [number, number];
  const [middleX, middleY] = degrees === 0 ? [margin + wide / 2, margin + high / 2] : [width / 2, height / 2];
  const shadeAt = (x: number, y: number): number => {
    const nearer = 1 + (tilt * (x - middleX + 0.5 * (y - middleY))) / Math.max(boxWide, boxHigh);
    const [dx, dy] = [(x - middleX) / nearer, (y - middleY) / nearer];
    const across = (dx * cos + dy * sin) / scale + symbol.wide / 2;
    const [u, v] = [isMirrored ? symbol.wide - across : across, (dy * cos - dx * sin) / scale + symbol.high / 2];
    if (u >= 0 && u < symbol.wide && v >= 0 && v < symbol.high && symbol.isDark(Math.floor(u), Math.floor(v))) return ink;
    return u >= -paper && u < symbol.wide + paper && v >= -paper && v < symbol.high + paper ? card : page;
  };
  // Of nine places in each pixel.
  const parts = [1 / 6, 1 / 2, 5 / 6];
  const shades = Float32Array.from({ length: width * height }, (_, at) => {
    const [x, y] = [at % width, Math.floor(at / width)];
    let sum = 0;
    for (const dy of parts) for (const dx of parts) sum += shadeAt(x + dx, y + dy);
    return sum / 9;
  });
  return { shades, width, height };
}

function blurred(shades: Float32Array, width: number, height: number, blur: number): Float32Array {
  if (blur === 0) return shades;
  const reach = Math.ceil(blur * 3);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, at) => Math.exp(-((at - reach) ** 2) / (2 * blur * blur)));
  const sum = weights.reduce((one, other) => one + other);
  const along = (from: Float32Array, length: number, step: number, other: number, otherStep: number): Float32Array => {
    const to = new Float32Array(from.length);
    for (let line = 0; line < other; line += 1) {
      for (let at = 0; at < length; at += 1) {
        let all = 0;
        for (const [place, weight] of weights.entries()) all += weight * (from[Math.min(length - 1, Math.max(0, at + place - reach)) * step + line * otherStep] ?? 0);
        to[at * step + line * otherStep] = all / sum;
      }
    }
    return to;
  };
  return along(along(shades, width, 1, height, width), height, width, width, 1);
}

const steps = (from: number, to: number, step: number): number[] => Array.from({ length: Math.round((to - from) / step) + 1 }, (_, at) => from + at * step);

const lights: readonly NonNullable<View["light"]>[] = [(x) => 0.25 + 0.75 * x, (x, y) => 0.2 + 0.4 * (x + y), (x) => (x < 0.5 ? 0.45 : 1), (x, y) => (x + y < 0.9 ? 0.35 : 1)];

/** Views by what is hard about them. */
export const views: Readonly<Record<string, readonly View[]>> = {
  "QR, 91 scales from 3 to 12 px": steps(3, 12, 0.1).map((scale) => ({ scale })),
  "QR, greys of page, card and ink": [4, 5.5].flatMap((scale) => [0, 90, 170, 255].flatMap((page) => [110, 150, 190, 225, 255].flatMap((card) => [0, 60].map((ink) => ({ scale, page, card, ink }))))),
  "QR, light on dark": steps(3, 12, 1).map((scale) => ({ scale, page: 0, card: 0, ink: 255 })),
  "QR, mirrored": steps(3, 10, 1).flatMap((scale) => [{ scale, isMirrored: true }, { scale, isMirrored: true, page: 20, card: 20, ink: 230 }]),
  "QR, 8 px, Gaussian of 1 to 4.5": steps(1, 4.5, 0.5).map((blur) => ({ scale: 8, blur, margin: 32 })),
  "QR, blurred": [4, 6].flatMap((scale) => steps(0.1, 0.5, 0.1).map((part) => ({ scale, blur: part * scale, margin: 8 * scale }))),
  "QR, in shadow": [3.4, 6].flatMap((scale) => lights.map((light) => ({ scale, light, blur: 0.15 * scale }))),
  "QR, turned and tilted": [3.5, 5].flatMap((scale) => steps(2, 347, 45).map((degrees) => ({ scale, degrees, tilt: 0.2, page: 220, margin: 40 }))),
  "QR, noisy": [3.5, 5, 8].flatMap((scale) => [10, 25, 40].map((noise) => ({ scale, noise, ink: 30, card: 220, page: 220 }))),
  "bars, scales from 1 to 6 px": steps(1, 6, 0.2).map((scale) => ({ isBars: true, scale, margin: 10 * scale })),
  "bars, light on dark": steps(2, 5, 0.5).map((scale) => ({ isBars: true, scale, margin: 12 * scale, page: 0, card: 0, ink: 255 })),
  "bars, mirrored": steps(2, 5, 0.5).flatMap((scale) => [{ isBars: true, scale, margin: 12 * scale, isMirrored: true }, { isBars: true, scale, margin: 12 * scale, isMirrored: true, page: 20, card: 20, ink: 230 }]),
  "bars at 300 dpi, Gaussian of 1 to 3": steps(1, 3, 0.25).map((blur) => ({ isBars: true, scale: 3.9, blur, margin: 48 })),
  "bars, blurred": [2, 3, 5].flatMap((scale) => steps(0.2, 0.8, 0.2).map((part) => ({ isBars: true, scale, blur: part * scale, margin: 12 * scale }))),
  "bars, greys of page, card and ink": [2, 3.3].flatMap((scale) => [0, 170, 255].flatMap((page) => [110, 255].flatMap((card) => [0, 60].map((ink) => ({ isBars: true, scale, page, card, ink, margin: 14 * scale }))))),
  "bars, in shadow": [2, 3.3].flatMap((scale) => lights.map((light) => ({ isBars: true, scale, light, blur: 0.3 * scale, margin: 12 * scale }))),
  "bars, noisy": [2, 3, 5].flatMap((scale) => [10, 25, 40].map((noise) => ({ isBars: true, scale, noise, ink: 30, card: 220, page: 220, margin: 12 * scale }))),
};
