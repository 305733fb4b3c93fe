// A code as a picture: what is drawn is read back by a decoder of others, and what could not be scanned is refused.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { inflateSync } from "node:zlib";

import * as mps from "@mps/sdk";
import jsqr from "jsqr";
import { PNG } from "pngjs";

import { having } from "./globals.ts";

const CODE = "701234567890123456789017";

before(() => mps.init());

const refused = (call: () => unknown, code: string, field?: string): void => {
  assert.throws(call, (error) => error instanceof mps.Refused && error.code === code && error.params["field"] === field, `${code} ${field}`);
};

/** A canvas of grey values that knows rectangles, as a library for Node would. */
function canvas() {
  const pixels = { width: 0, height: 0, grey: new Uint8Array() };
  const attributes: Record<string, string> = {};
  const context = {
    fillStyle: "before" as unknown,
    fillRect(x: number, y: number, width: number, height: number) {
      const shade = Number.parseInt(String(this.fillStyle).slice(1, 3), 16);
      for (let row = y; row < y + height; row += 1) pixels.grey.fill(shade, row * pixels.width + x, row * pixels.width + x + width);
    },
  };
  const sized = (side: "width" | "height") => ({
    get: () => pixels[side],
    set: (size: number) => {
      pixels[side] = size;
      pixels.grey = new Uint8Array(pixels.width * pixels.height);
    },
  });
  const given = { getContext: () => context, setAttribute: (name: string, value: string) => void (attributes[name] = value) };
  const element = Object.defineProperties(given, { width: sized("width"), height: sized("height") }) as typeof given & mps.Canvas;
  return { element, context, attributes, pixels };
}

/** What a decoder of others reads in grey values. */
function read(grey: ArrayLike<number>, width: number, height: number): string | undefined {
  const rgba = Uint8ClampedArray.from({ length: width * height * 4 }, (_, at) => (at % 4 === 3 ? 255 : (grey[at >> 2] ?? 0)));
  // The package is CommonJS with its function under `default`.
  return jsqr.default(rgba, width, height)?.data;
}

test("a PNG has two colours, its quiet zone and the code", async () => {
  const bytes = await mps.qrPng(CODE, { scale: 3, quietZone: 5, dark: "#102030", light: "#fff" });
  const { data, width, height } = PNG.sync.read(Buffer.from(bytes));
  assert.deepEqual([width, height], [93, 93]);
  const reds = Array.from({ length: width * height }, (_, at) => data[at * 4] ?? 0);
  assert.deepEqual([...new Set(reds)].sort(), [0x10, 255].sort());
  assert.ok(reds.slice(0, width * 15).every((red) => red === 255), "fifteen light lines");
  assert.equal(read(reds, width, height), CODE);
  assert.ok(bytes.length < 1000, `${bytes.length} bytes`);
});

test("without the platform's zlib a PNG is the same picture, only larger", async () => {
  const options = { scale: 32, dark: "#102030" };
  const compressed = PNG.sync.read(Buffer.from(await mps.qrPng(CODE, options)));
  for (const name of ["CompressionStream", "Blob", "Response"]) {
    await having({ [name]: undefined }, async () => {
      const bytes = Buffer.from(await mps.qrPng(CODE, options));
      assert.deepEqual(PNG.sync.read(bytes), compressed, name);
      // The decoder above does not look at the check of the data; Node's does.
      const data = bytes.subarray(bytes.indexOf("IDAT") + 4, -16);
      assert.equal(inflateSync(data).length, 928 * (1 + 928 / 8));
      assert.ok(data.length > 65_535, "more than one stored block");
    });
  }
});

test("a canvas gets the size of the code, its title and the code", () => {
  const { element, context, attributes, pixels } = canvas();
  assert.equal(mps.drawQr(element, CODE, { scale: 4, title: "付款碼", dark: "#000000", light: "#ffffff" }), 116);
  assert.deepEqual([pixels.width, pixels.height], [116, 116]);
  assert.deepEqual(attributes, { role: "img", "aria-label": "付款碼" });
  assert.equal(read(pixels.grey, 116, 116), CODE);
  assert.equal(context.fillStyle, "before", "the context is left as it was");
});

test("a canvas, which has the size of the code, draws nowhere but in its corner", () => {
  for (const field of ["x", "y"]) {
    const { element, pixels } = canvas();
    refused(() => mps.drawQr(element, CODE, { [field]: 100 }), "MALFORMED_ARGUMENT", field);
    assert.equal(pixels.width, 0, "the canvas is untouched");
  }
  const { element, pixels } = canvas();
  mps.drawQr(element, CODE, { x: 0, y: 0, dark: "#000000", light: "#ffffff" });
  assert.equal(read(pixels.grey, 232, 232), CODE);
});

test("a context draws where it is told to and nowhere else", () => {
  const { element, context, pixels } = canvas();
  [element.width, element.height] = [200, 160];
  pixels.grey.fill(7);
  mps.drawQr(context, CODE, { scale: 4, x: 60, y: 30, dark: "#000000", light: "#ffffff" });
  const outside = pixels.grey.filter((_, at) => at % 200 < 60 || at % 200 >= 176 || at < 30 * 200 || at >= 146 * 200);
  assert.ok(outside.every((grey) => grey === 7));
  assert.equal(read(pixels.grey, 200, 160), CODE);
});

test("a bar code has 187 modules with its quiet zone, begins with set C and says what it is", () => {
  const drawing = mps.barcodeSvg(CODE, { title: "付款碼 <1>", height: 60, dark: "#123456" });
  assert.match(drawing, /^<svg [^>]*viewBox="-10 0 187 60" role="img"[^>]*><title>付款碼 &lt;1&gt;<\/title>/);
  assert.match(drawing, /<path fill="#fff" d="M-10 0h187v60h-187z"\/>/);
  // Start C is 211232, then 70 is 112412.
  assert.match(drawing, /<path fill="#123456" d="M0 0h2v60h-2zM3 0h1v60h-1zM6 0h3v60h-3zM11 0h1v60h-1zM13 0h2v60h-2zM19 0h1v60h-1z/);
  assert.ok(!drawing.includes(CODE));
});

test("text that is no code is not drawn, and is told before a bad option", async () => {
  for (const text of ["", "https://example.com", "701234567890123456789018", 7 as never, undefined as never]) {
    const bad = { dark: "blue" };
    refused(() => mps.qrSvg(text, bad), "INVALID_QR");
    refused(() => mps.qrMatrix(text), "INVALID_QR");
    refused(() => mps.barcodeSvg(text, bad), "INVALID_QR");
    const { element, pixels } = canvas();
    refused(() => mps.drawQr(element, text, bad), "INVALID_QR");
    assert.equal(pixels.width, 0, "the canvas is untouched");
    await assert.rejects(mps.qrPng(text, bad), { code: "INVALID_QR" });
  }
});

test("an option that is not as documented is named", async () => {
  const cases: [string, unknown[]][] = [
    ["dark", ["", "#12", "#ggg", "black", "currentColor", '"/><script>', "url(#x)", "#1234567", "#00000080", 7, null].slice(0, 10)],
    ["light", ["white", "transparent", "#ffff", "#fff\n"]],
    ["quietZone", [3, 0, -1, 4.5, 41, NaN, "4"]],
    ["title", [7, "\u0000", "\ud800"]],
  ];
  for (const [field, values] of cases) {
    for (const value of values) {
      const options = { [field]: value };
      refused(() => mps.qrSvg(CODE, options), "MALFORMED_ARGUMENT", field);
      refused(() => mps.barcodeSvg(CODE, options), "MALFORMED_ARGUMENT", field);
      refused(() => mps.drawQr(canvas().element, CODE, options), "MALFORMED_ARGUMENT", field);
      await assert.rejects(mps.qrPng(CODE, options), { code: "MALFORMED_ARGUMENT", params: { field } });
    }
  }
  refused(() => mps.barcodeSvg(CODE, { quietZone: 9 }), "MALFORMED_ARGUMENT", "quietZone");
  for (const height of [27, 201, 50.5]) refused(() => mps.barcodeSvg(CODE, { height }), "MALFORMED_ARGUMENT", "height");
  for (const scale of [0, 33, 1.5]) {
    refused(() => mps.drawQr(canvas().element, CODE, { scale }), "MALFORMED_ARGUMENT", "scale");
    await assert.rejects(mps.qrPng(CODE, { scale }), { code: "MALFORMED_ARGUMENT", params: { field: "scale" } });
  }
  refused(() => mps.drawQr(canvas().element, CODE, { x: -1 }), "MALFORMED_ARGUMENT", "x");
  for (const target of [null, undefined, {}, "canvas", { getContext: () => null }]) {
    refused(() => mps.drawQr(target as never, CODE), "MALFORMED_ARGUMENT", "target");
  }
});

test("colours that a scanner cannot tell apart are refused: too alike, light on dark, dark only in white light", () => {
  for (const [dark, light] of [["#000", "#777"], ["#fff", "#000"], ["#bbb", "#fff"], ["#c00", "#fff"], ["#000", "#00f"]] as const) {
    refused(() => mps.qrSvg(CODE, { dark, light }), "MALFORMED_ARGUMENT", "dark");
  }
  refused(() => mps.qrSvg(CODE, { light: "#444" }), "MALFORMED_ARGUMENT", "light");
  for (const [dark, light] of [["#000", "#fff"], ["#123456", "#ffe"], ["#00c", "#fff"], ["#062", "#fed"]] as const) {
    assert.ok(mps.qrSvg(CODE, { dark, light }).includes(`<path fill="${dark}"`));
  }
});
