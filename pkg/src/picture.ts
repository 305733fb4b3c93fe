// A payment code as a picture: a QR symbol as SVG, modules, canvas or PNG, and a bar code as SVG. The code is checked first,
// then the options; nothing is drawn of what is refused.

import { type Look, colourOf, countOf, lookOf } from "./look.js";
import * as wasm from "./mps.js";
import { pngOf } from "./png.js";
import { fieldsOf, refusing, textOf } from "./refusing.js";
import { malformed } from "./thrown.js";
import type { BarcodeOptions, Canvas, CanvasOptions, DrawingContext, PngOptions, QrMatrix, QrOptions } from "./types.js";

/** Modules a side of version 1. */
const qrSide = 21;
/** ISO/IEC 18004: four light modules on every side. */
const qrQuietZone = 4;
/** ISO/IEC 15417: ten light modules on either side. */
const barcodeQuietZone = 10;
/** 15 % of the length of the symbol with its quiet zones, 187 modules. */
const barHeightMin = 28;
const barHeightMax = 200;
const scaleMax = 32;
const offsetMax = 32_767;

/** The head of a drawing without options, made once. */
let plainHead: string | undefined;

/**
 * A payment code as an SVG document with its quiet zone; it scales to its box. Throws INVALID_QR, and MALFORMED_ARGUMENT with the
 * option as `params.field`.
 */
export function qrSvg(text: string, options?: QrOptions): string {
  return refusing(() => {
    const path = wasm.qrPath(textOf(text, "INVALID_QR"));
    const headOf = (): string => svgHead(lookOf(options, qrQuietZone), qrSide, qrSide);
    return `${options === undefined ? (plainHead ??= headOf()) : headOf()}${path}"/></svg>`;
  });
}

/** A payment code as modules, to draw it yourself. Throws INVALID_QR. */
export function qrMatrix(text: string): QrMatrix {
  return { size: qrSide, modules: refusing(() => wasm.qrModules(textOf(text, "INVALID_QR"))) };
}

/**
 * Draws a payment code onto a canvas, which gets the size and, in a page, the title for screen readers; or by a 2D context at
 * (`x`, `y`), which leaves the rest of its canvas alone. Answers the pixels a side. Throws INVALID_QR, and MALFORMED_ARGUMENT
 * with the option, or "target", as `params.field`: a canvas has no `x` and no `y` but 0.
 */
export function drawQr(target: Canvas | DrawingContext, text: string, options?: CanvasOptions): number {
  return refusing(() => {
    const { size, modules } = qrMatrix(text);
    const look = lookOf(options, qrQuietZone);
    const fields = fieldsOf(options, ["scale", "x", "y"]);
    const scale = scaleOf(fields["scale"]);
    const [left, top] = ["x", "y"].map((name) => countOf(fields[name] ?? 0, 0, offsetMax, name)) as [number, number];
    const side = (size + 2 * look.quietZone) * scale;
    const context = contextOf(target, { side, left, top }, look.title);
    const before = context.fillStyle;
    context.fillStyle = look.light;
    fill(context, left, top, side);
    context.fillStyle = look.dark;
    for (const [at, module] of modules.entries()) {
      const [x, y] = [(at % size) + look.quietZone, Math.floor(at / size) + look.quietZone];
      if (module === 1) fill(context, left + x * scale, top + y * scale, scale);
    }
    context.fillStyle = before;
    return side;
  });
}

/**
 * A payment code as the bytes of a PNG picture, in every runtime. Throws INVALID_QR, and MALFORMED_ARGUMENT with the option as
 * `params.field`.
 */
export async function qrPng(text: string, options?: PngOptions): Promise<Uint8Array> {
  const { size, modules } = qrMatrix(text);
  const [look, scale] = refusing(() => [lookOf(options, qrQuietZone), scaleOf(fieldsOf(options, ["scale"])["scale"])] as const);
  const { quietZone } = look;
  const line = Array.from({ length: size + 2 * quietZone }, (_, at) => at - quietZone);
  const isIn = (at: number): boolean => at >= 0 && at < size;
  const rows = line.map((y) => line.map((x) => isIn(x) && isIn(y) && modules[y * size + x] === 1));
  return pngOf(rows, scale, colourOf(look.light, "light"), colourOf(look.dark, "dark"));
}

/**
 * A payment code as a bar code (Code 128, set C), an SVG document with its quiet zone; it scales to its box. Throws INVALID_QR, and
 * MALFORMED_ARGUMENT with the option as `params.field`.
 */
export function barcodeSvg(text: string, options?: BarcodeOptions): string {
  return refusing(() => {
    const widths = wasm.barcodeWidths(textOf(text, "INVALID_QR"));
    const look = lookOf(options, barcodeQuietZone);
    const height = countOf(fieldsOf(options, ["height"])["height"] ?? 50, barHeightMin, barHeightMax, "height");
    let path = "";
    let x = 0;
    for (const [at, width] of widths.entries()) {
      // Bars and spaces take turns.
      if (at % 2 === 0) path += `M${x} 0h${width}v${height}h-${width}z`;
      x += width;
    }
    return `${svgHead(look, x, height, 0)}${path}"/></svg>`;
  });
}

/** All of a drawing before its dark path, whose corner is at the origin. */
function svgHead(look: Look, width: number, height: number, over = look.quietZone): string {
  const { quietZone } = look;
  const [wide, high] = [width + 2 * quietZone, height + 2 * over];
  const title = look.title.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const box = `viewBox="${-quietZone} ${-over} ${wide} ${high}"`;
  const ground = `<path fill="${look.light}" d="M${-quietZone} ${-over}h${wide}v${high}h-${wide}z"/>`;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" ${box} role="img" shape-rendering="crispEdges">`;
  return `${head}<title>${title}</title>${ground}<path fill="${look.dark}" d="`;
}

/** A square. What answers anything is no context, and nobody waits for a promise of its. */
function fill(context: DrawingContext, x: number, y: number, side: number): void {
  const answer: unknown = context.fillRect(x, y, side, side);
  if (answer === undefined) return;
  Promise.resolve(answer).catch(() => undefined);
  throw malformed("target");
}

function scaleOf(value: unknown): number {
  return countOf(value ?? 8, 1, scaleMax, "scale");
}

/** Where a code is drawn, in pixels. */
interface Place {
  readonly side: number;
  readonly left: number;
  readonly top: number;
}

/** The context to draw by; a canvas is given its size first, which clears it. */
function contextOf(target: Canvas | DrawingContext, at: Place, title: string): DrawingContext {
  // Callers without a compiler send anything.
  const given: unknown = target;
  if (typeof given !== "object" || given === null) throw malformed("target");
  if (!("getContext" in target)) {
    if (typeof target.fillRect !== "function") throw malformed("target");
    return target;
  }
  // It has the code's size: anywhere but in its corner, a part of the code would be outside.
  if (at.left !== 0) throw malformed("x");
  if (at.top !== 0) throw malformed("y");
  const context = typeof target.getContext === "function" ? target.getContext("2d") : null;
  if (context === null) throw malformed("target");
  target.width = at.side;
  target.height = at.side;
  target.setAttribute?.("role", "img");
  target.setAttribute?.("aria-label", title);
  return context;
}
