// The scanner outside of a browser: its module as a page fetches it, with a detector of the test's own.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";

import * as mps from "@mps/sdk";
import { build } from "esbuild";

import { having } from "./globals.ts";

const CODE = "701234567890123456789017";
const MENU = "HTTPS://MENU.TW/7";
/** As another encoder draws it. */
const menuSymbol = `
  #######....#..####### #.....#.###...#.....# #.###.#..####.#.###.# #.###.#....#..#.###.# #.###.#.#..##.#.###.#
  #.....#..#.#..#.....# #######.#.#.#.####### ..................... #.#.#.#...#.#...#..#. ...#...##.##...#.####
  #.###.#.#.##.##...... ##...#.#######.#..... ..##.##.##.#.#.#....# ........####..###...# #######.....####.##..
  #.....#...###.#.#..#. #.###.#.#.##.#..#.#.. #.###.#...##..#....#. #.###.#.##.....#....# #.....#..#....#..#.##
  #######.#####..#.#..#`;

type Scanner = typeof import("@mps/sdk/scanner");
type Symbol = (x: number, y: number) => boolean;

const menu: Symbol = (x, y) => menuSymbol.trim().split(/\s+/)[y]?.[x] === "#";
const payment: Symbol = (x, y) => x >= 0 && x < 21 && mps.qrMatrix(CODE).modules[y * 21 + x] === 1;

let script: string;
const wasm = readFileSync(new URL("../dist/mps_scanner_bg.wasm", import.meta.url));

before(async () => {
  await mps.init();
  const entryPoints = [fileURLToPath(new URL("../dist/scanner.js", import.meta.url))];
  const define = { "import.meta.url": '"http://shop.test/scanner.js"' };
  const { outputFiles } = await build({ entryPoints, define, bundle: true, format: "esm", write: false });
  script = outputFiles[0]?.text ?? "";
});

let copies = 0;

/** The entry as a page has it that was just opened. */
async function opened(): Promise<Scanner> {
  copies += 1;
  return (await import(`data:text/javascript,${encodeURIComponent(`${script}//${copies}`)}`)) as Scanner;
}

const fetching = { fetch: () => Promise.resolve(new Response(wasm, { headers: { "Content-Type": "application/wasm" } })) };

interface Found {
  readonly rawValue: string;
  readonly format: string;
}

/** A platform whose detector answers so. */
function detecting(answer: () => Found[]) {
  class BarcodeDetector {
    static getSupportedFormats = () => Promise.resolve(["qr_code", "code_128", "ean_13"]);
    detect = async () => Promise.resolve(answer());
  }
  return { BarcodeDetector };
}

/** What a detector is asked about: the answer does not depend on it. */
const canvas = { width: 320, height: 240 } as HTMLCanvasElement;

const qr = (text: string): Found => ({ rawValue: text, format: "qr_code" });
const code128 = (text: string): Found => ({ rawValue: text, format: "code_128" });

/** Symbols side by side, four pixels a module. */
function frameOf(symbols: readonly Symbol[]) {
  const cell = 29;
  const [width, height] = [symbols.length * cell * 4, cell * 4];
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let at = 0; at < width * height; at += 1) {
    const [x, y] = [at % width >> 2, Math.floor(at / width) >> 2];
    if (symbols[Math.floor(x / cell)]?.((x % cell) - 4, y - 4) === true) data.fill(0, at * 4, at * 4 + 3);
  }
  return { data, width, height };
}

test("a bar code of the platform's detector counts when it is a payment code; a QR code whatever it says", async () => {
  const text = readFileSync(new URL("../../spec/vectors/payment-code.json", import.meta.url), "utf8");
  const { online, offline, invalid } = JSON.parse(text) as Record<"online" | "offline" | "invalid", Record<"code" | "text", string>[]>;
  const codes = [...online, ...offline].map(({ code }) => code);
  const others = [...invalid.map(({ text }) => text), "4006381333931"];
  assert.ok(codes.length > 10 && others.length > 20);
  let shown: Found[] = [];
  const scanner = await opened();
  await having(detecting(() => shown), async () => {
    for (const text of codes) {
      shown = [code128(text)];
      assert.deepEqual(await scanner.readFrame(canvas), { text, format: "code_128" });
    }
    for (const text of others) {
      shown = [code128(text), { rawValue: text, format: "ean_13" }];
      assert.equal(await scanner.readFrame(canvas), undefined, text);
      shown = [code128(text), qr(text)];
      assert.deepEqual(await scanner.readFrame(canvas), { text, format: "qr_code" });
    }
  });
});

test("of several codes the payment code is read, by the module and by the platform's detector", async () => {
  const scanner = await opened();
  await having(fetching, async () => {
    assert.equal((await scanner.readFrame(frameOf([menu])))?.text, MENU);
    assert.equal((await scanner.readFrame(frameOf([menu, payment])))?.text, CODE);
    assert.equal((await scanner.readFrame(frameOf([payment, menu])))?.text, CODE);
  });
  const detecter = await opened();
  await having(detecting(() => [qr(MENU), qr("another"), code128(CODE)]), async () => {
    assert.deepEqual(await detecter.readFrame(canvas), { text: CODE, format: "code_128" });
  });
});

test("a module that did not come is fetched again, behind a detector that fails too", async () => {
  const failing = detecting(() => {
    throw new DOMException("no service", "NotSupportedError");
  });
  for (const platform of [{}, failing]) {
    const scanner = await opened();
    let fetched = 0;
    const fetch = (): Promise<Response> => {
      fetched += 1;
      return fetched === 1 ? Promise.reject(new TypeError("no network")) : fetching.fetch();
    };
    await having({ ...platform, fetch }, async () => {
      await assert.rejects(scanner.readFrame(frameOf([payment])), { code: "UNAVAILABLE" });
      assert.equal((await scanner.readFrame(frameOf([payment])))?.text, CODE);
      assert.equal((await scanner.readFrame(frameOf([menu])))?.text, MENU);
    });
    assert.equal(fetched, 2);
  }
});
