// The scanner outside of a browser: its module as a page fetches it, with a detector, a camera and a video of the test's own.

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
type Scanned = import("@mps/sdk/scanner").Scanned;
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

interface Video {
  readonly playsInline: boolean;
  readonly muted: boolean;
  readonly srcObject: unknown;
}

/** A page with a camera that is allowed, and with a video. */
function page(play: (video: Video) => unknown = () => Promise.resolve()) {
  const track = { readyState: "live", stop: () => void (track.readyState = "ended") };
  const stream = { getTracks: () => [track], getVideoTracks: () => [track] };
  class VideoElement {
    readonly videoWidth = 2 * 29 * 4;
    readonly videoHeight = 29 * 4;
    playsInline = false;
    muted = false;
    srcObject: unknown = null;
    play() {
      return play(this);
    }
  }
  const video = new VideoElement();
  const globals = { HTMLVideoElement: VideoElement, navigator: { mediaDevices: { getUserMedia: () => Promise.resolve(stream) } } };
  const isLetGo = () => track.readyState === "ended" && video.srcObject === null;
  return { video: video as unknown as HTMLVideoElement, stream, globals, isLetGo };
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

test("every code of a frame is offered once, payment codes first, until one is accepted", async () => {
  let looks = 0;
  const seen = frameOf([menu, payment]);
  const look = <T>(value: T): T => ((looks += 1), value);
  class OffscreenCanvas {
    getContext = () => ({ drawImage: () => undefined, getImageData: () => look(seen) });
  }
  const platforms = [{ ...fetching, OffscreenCanvas }, detecting(() => look([qr(MENU), qr(CODE)]))];
  for (const platform of platforms) {
    const { video, globals, isLetGo } = page();
    const scanner = await opened();
    looks = 0;
    const offered: string[] = [];
    const accept = ({ text }: Scanned): boolean => offered.push(text) === 2;
    await having({ ...globals, ...platform }, async () => {
      assert.deepEqual(await scanner.scanCamera(video, { accept, everyMs: 20 }), { text: MENU, format: "qr_code" });
    });
    assert.deepEqual([offered, looks, isLetGo()], [[CODE, MENU], 1, true]);
  }
});

test("whoever ends the scan while a code is offered is asked no more", async () => {
  const { video, globals, isLetGo } = page();
  const scanner = await opened();
  const ended = new AbortController();
  let asked = 0;
  const accept = (): boolean => {
    asked += 1;
    ended.abort(new Error("enough"));
    return false;
  };
  await having({ ...globals, ...detecting(() => [qr(MENU), qr(CODE)]) }, async () => {
    await assert.rejects(scanner.scanCamera(video, { accept, signal: ended.signal }), /enough/);
  });
  assert.deepEqual([asked, isLetGo()], [1, true]);
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

test("a video plays in the page and without a sound, or an iPhone would not have it", async () => {
  const played: unknown[] = [];
  const { video, stream, globals } = page(({ playsInline, muted, srcObject }) => void played.push([playsInline, muted, srcObject]));
  const scanner = await opened();
  await having({ ...globals, ...detecting(() => [qr(CODE)]) }, async () => {
    assert.equal((await scanner.scanCamera(video)).text, CODE);
  });
  assert.deepEqual(played, [[true, true, stream]]);
});

test("a video that does not play is no camera, with the reason and the cause", async () => {
  const refusals = [
    [new DOMException("interrupted", "AbortError"), "busy", "UNAVAILABLE"],
    [new DOMException("not by itself", "NotAllowedError"), "denied", "PERMISSION_DENIED"],
    [new TypeError("no player"), "busy", "UNAVAILABLE"],
  ] as const;
  for (const [cause, reason, code] of refusals) {
    const plays = [
      () => Promise.reject(cause),
      () => {
        throw cause;
      },
    ];
    for (const play of plays) {
      const { video, globals, isLetGo } = page(play);
      const scanner = await opened();
      await having({ ...globals, ...detecting(() => [qr(CODE)]) }, async () => {
        await assert.rejects(scanner.scanCamera(video), (error) => {
          assert.ok(error instanceof scanner.CameraError && error instanceof scanner.MpsError);
          assert.deepEqual([error.reason, error.code, error.cause], [reason, code, cause]);
          return true;
        });
      });
      assert.ok(isLetGo());
    }
  }
});

test("a signal that ends the video has the last word", async () => {
  const ended = new AbortController();
  const { video, globals, isLetGo } = page(() => {
    ended.abort(new Error("enough"));
    return Promise.reject(new DOMException("interrupted", "AbortError"));
  });
  const scanner = await opened();
  await having({ ...globals, ...detecting(() => [qr(CODE)]) }, async () => {
    await assert.rejects(scanner.scanCamera(video, { signal: ended.signal }), /enough/);
  });
  assert.ok(isLetGo());
});

test("what is no signal or no video is named, whatever it does when it is asked", async () => {
  const throwing = (): never => {
    throw new Error("hostile");
  };
  const { video, globals, isLetGo } = page();
  const scanner = await opened();
  await having(globals, async () => {
    for (const value of [null, {}, "video", new Proxy({}, { getPrototypeOf: throwing })] as never[]) {
      await assert.rejects(scanner.scanCamera(video, { signal: value }), { code: "MALFORMED_ARGUMENT", params: { field: "signal" } });
      await assert.rejects(scanner.scanCamera(value), { code: "MALFORMED_ARGUMENT", params: { field: "video" } });
    }
  });
  assert.ok(!isLetGo(), "no camera is opened for it");
});

test("an old WebView's signal ends a scan: without throwIfAborted, with and without a reason", async () => {
  const names = ["throwIfAborted", "reason"] as const;
  const former = names.map((name) => [name, Object.getOwnPropertyDescriptor(AbortSignal.prototype, name)] as const);
  const { video, stream, globals, isLetGo } = page();
  let allow = (): void => undefined;
  const getUserMedia = () => new Promise((resolve) => (allow = () => resolve(stream)));
  const scanner = await opened();
  try {
    Reflect.deleteProperty(AbortSignal.prototype, "throwIfAborted");
    await having({ ...globals, navigator: { mediaDevices: { getUserMedia } } }, async () => {
      await assert.rejects(scanner.scanCamera(video, { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
      Reflect.deleteProperty(AbortSignal.prototype, "reason");
      await assert.rejects(scanner.scanCamera(video, { signal: AbortSignal.abort(new Error("enough")) }), { name: "AbortError" });
      const ended = new AbortController();
      const scan = scanner.scanCamera(video, { signal: ended.signal });
      ended.abort();
      await assert.rejects(scan, { name: "AbortError" });
    });
  } finally {
    for (const [name, descriptor] of former) if (descriptor !== undefined) Object.defineProperty(AbortSignal.prototype, name, descriptor);
  }
  assert.ok(!isLetGo(), "the user has not answered yet");
  allow();
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(isLetGo(), "a camera that is allowed afterwards is let go");
});

test("a detector that hangs is left after its time: the module reads, from then on at once", async (t) => {
  const never = () => new Promise<never>(() => undefined);
  class Deaf {
    static readonly getSupportedFormats = () => Promise.resolve(["qr_code", "code_128"]);
    readonly detect = never;
  }
  const platforms = [{ BarcodeDetector: Deaf }, { BarcodeDetector: class extends Deaf { static override readonly getSupportedFormats = never; } }];
  for (const platform of platforms) {
    const scanner = await opened();
    await having({ ...platform, ...fetching, ImageData: class {} }, async () => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      const reading = scanner.readFrame(frameOf([payment]));
      t.mock.timers.tick(3000);
      t.mock.timers.reset();
      assert.equal((await reading)?.text, CODE);
      assert.equal((await scanner.readFrame(frameOf([payment])))?.text, CODE, "without a clock to wait for");
    });
  }
});

test("a module that hangs ends a look with the signal or with its time, and is fetched anew", async () => {
  const scanner = await opened();
  let hangs = true;
  const fetch = (): Promise<Response> => (hangs ? new Promise<never>(() => undefined) : fetching.fetch());
  await having({ fetch }, async () => {
    const ended = new AbortController();
    const reading = scanner.readFrame(frameOf([payment]), { signal: ended.signal });
    setImmediate(() => ended.abort(new Error("enough")));
    await assert.rejects(reading, /enough/);
    await assert.rejects(scanner.readFrame(frameOf([payment]), { timeoutMs: 1 }), { name: "Unavailable", code: "UNAVAILABLE" });
    hangs = false;
    assert.equal((await scanner.readFrame(frameOf([payment])))?.text, CODE);
  });
});

test("a camera that is allowed and shows nothing is let go after its time", async () => {
  const { video, globals, isLetGo } = page(() => new Promise(() => undefined));
  const scanner = await opened();
  await having({ ...globals, ...detecting(() => [qr(CODE)]) }, async () => {
    await assert.rejects(scanner.scanCamera(video, { timeoutMs: 1 }), (error) => error instanceof scanner.CameraError && error.reason === "busy");
  });
  assert.ok(isLetGo());
});

test("a page without WebAssembly is told so, where its platform has no detector of its own", async () => {
  const scanner = await opened();
  await having({ WebAssembly: undefined }, async () => {
    await assert.rejects(scanner.readFrame(frameOf([payment])), { name: "Unexpected", code: "NOT_CONFIGURED", params: { what: "WebAssembly" } });
    await having({ ...detecting(() => [qr(CODE)]), ImageData: class {} }, async () => {
      const other = await opened();
      assert.equal((await other.readFrame(frameOf([payment])))?.text, CODE);
    });
  });
});
