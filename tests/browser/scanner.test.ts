// The package reads what it draws, in a real browser: every kind of picture, turned, blurred and small; by WebAssembly, by a detector of the
// platform's, and through a camera, which is let go in the end.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { launch } from "./browser.ts";
import { writeFilm } from "./qr.ts";

const CODE = "701234567890123456789017";

type Sdk = typeof import("@mps/sdk") & typeof import("@mps/sdk/scanner");

declare global {
  var mps: Sdk;
}

let browser: Browser;
let server: Server;
let url: string;

before(async () => {
  const contents = 'export * from "@mps/sdk"; export * from "@mps/sdk/scanner";';
  const stdin = { contents, resolveDir: import.meta.dirname };
  const bundle = await build({ stdin, bundle: true, format: "esm", platform: "browser", write: false });
  const wasm = (name: string) => readFileSync(fileURLToPath(import.meta.resolve(`@mps/sdk/${name}`)));
  const files: Record<string, [string, string | Uint8Array]> = {
    "/": ["text/html", "<!doctype html><title>scanner</title><video muted playsinline></video>"],
    "/sdk.js": ["text/javascript", bundle.outputFiles[0]?.contents ?? ""],
    "/mps_bg.wasm": ["application/wasm", wasm("mps_bg.wasm")],
    "/mps_scanner_bg.wasm": ["application/wasm", wasm("mps_scanner_bg.wasm")],
  };
  server = createServer((request, response) => {
    const [type, body] = files[request.url ?? ""] ?? ["text/plain", ""];
    response.writeHead(body === "" ? 404 : 200, { "Content-Type": type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  browser = await launch();
});
after(async () => {
  await browser.close();
  server.close();
});

/** The page with the package begun in it. */
async function visit(page: Page): Promise<Page> {
  await page.goto(url);
  await page.evaluate(async () => {
    const address: string = "/sdk.js";
    globalThis.mps = (await import(address)) as Sdk;
    await globalThis.mps.init();
  });
  return page;
}

async function open(from: Browser = browser, permissions: string[] = []): Promise<Page> {
  const page = await (await from.newContext({ permissions })).newPage();
  return visit(page);
}

type Drawn = "svg" | "png" | "canvas" | "barcode" | "nothing";

/** A picture in the middle of a light grey frame of 640 by 480. */
interface Scene {
  readonly drawn: Drawn;
  /** Pixels it is wide. */
  readonly width: number;
  readonly degrees?: number;
  readonly blur?: number;
}

/** What the scanner reads in each scene. */
function readIn(page: Page, scenes: readonly Scene[]): Promise<unknown[]> {
  return page.evaluate(
    async ({ scenes, CODE }) => {
      const { mps } = globalThis;
      const pictureOf = async (drawn: Drawn): Promise<CanvasImageSource & { width: number; height: number }> => {
        if (drawn === "png") return createImageBitmap(new Blob([new Uint8Array(await mps.qrPng(CODE))], { type: "image/png" }));
        const canvas = document.createElement("canvas");
        if (drawn === "canvas") mps.drawQr(canvas, CODE);
        if (drawn === "canvas" || drawn === "nothing") return canvas;
        const svg = drawn === "svg" ? mps.qrSvg(CODE) : mps.barcodeSvg(CODE);
        const image = new Image();
        image.src = `data:image/svg+xml,${encodeURIComponent(svg.replace("<svg ", drawn === "svg" ? '<svg width="290" height="290" ' : '<svg width="748" height="200" '))}`;
        await image.decode();
        return image;
      };
      const read = async ({ drawn, width, degrees = 0, blur = 0 }: Scene) => {
        const picture = await pictureOf(drawn);
        const frame = new OffscreenCanvas(640, 480);
        const context = frame.getContext("2d");
        if (context === null) throw new Error("no context");
        context.fillStyle = "#ddd";
        context.fillRect(0, 0, 640, 480);
        context.filter = blur === 0 ? "none" : `blur(${blur}px)`;
        context.translate(320, 240);
        context.rotate((degrees * Math.PI) / 180);
        const height = (width * picture.height) / picture.width;
        if (drawn !== "nothing") context.drawImage(picture, -width / 2, -height / 2, width, height);
        return (await mps.readFrame(context.getImageData(0, 0, 640, 480))) ?? null;
      };
      const answers: unknown[] = [];
      for (const scene of scenes) answers.push(await read(scene));
      return answers;
    },
    { scenes, CODE },
  );
}

const qr = { text: CODE, format: "qr_code" };

test("a drawing of every kind is read, at any angle, blurred, and as small as 90 pixels", async () => {
  const page = await open();
  const scenes: Scene[] = [];
  for (const drawn of ["svg", "png", "canvas"] as const) {
    for (const degrees of [0, 13, 45, 90, 137, 180, 270]) scenes.push({ drawn, width: 240, degrees });
    for (const width of [90, 100, 420]) scenes.push({ drawn, width });
    for (const blur of [1, 2]) scenes.push({ drawn, width: 300, blur });
  }
  const answers = await readIn(page, scenes);
  for (const [at, scene] of scenes.entries()) assert.deepEqual(answers[at], qr, JSON.stringify(scene));
  await page.context().close();
});

test("a bar code is read, turned by quarters and a little askew", async () => {
  const page = await open();
  const scenes: Scene[] = [];
  for (const degrees of [0, 3, 90, 180, 270]) scenes.push({ drawn: "barcode", width: 460, degrees });
  scenes.push({ drawn: "barcode", width: 374 }, { drawn: "barcode", width: 600, blur: 1 });
  const answers = await readIn(page, scenes);
  for (const [at, scene] of scenes.entries()) assert.deepEqual(answers[at], { text: CODE, format: "code_128" }, JSON.stringify(scene));
  await page.context().close();
});

test("a frame without a code gives nothing, and what is no frame is refused", async () => {
  const page = await open();
  assert.deepEqual(await readIn(page, [{ drawn: "nothing", width: 100 }]), [null]);
  const codes = await page.evaluate(async () => {
    const frames = [null, 7, {}, { data: new Uint8Array(3), width: 1, height: 1 }, { data: "x", width: 30, height: 30 }];
    const outcomes = frames.map((frame) => globalThis.mps.readFrame(frame as never).then(() => "read", (error: Error) => ("code" in error ? error.code : error.name)));
    return Promise.all(outcomes);
  });
  assert.deepEqual(codes, Array.from({ length: 5 }, () => "MALFORMED_ARGUMENT"));
  await page.context().close();
});

/** A page whose platform has a detector: it answers as it is told, and counts. */
async function withDetector(formats: readonly string[], answer: "code" | "nothing" | "failure"): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.addInitScript(
    ({ formats, answer, CODE }) => {
      const detector = class {
        static getSupportedFormats = () => Promise.resolve(formats);
        detect() {
          Object.assign(globalThis, { asked: 1 + ((globalThis as { asked?: number }).asked ?? 0) });
          if (answer === "failure") return Promise.reject(new DOMException("no service", "NotSupportedError"));
          return Promise.resolve(answer === "code" ? [{ rawValue: CODE, format: "qr_code" }] : []);
        }
      };
      Object.assign(globalThis, { BarcodeDetector: detector });
    },
    { formats, answer, CODE },
  );
  return visit(page);
}

test("the platform's detector is asked where it knows both kinds, and the module is not fetched", async () => {
  const page = await withDetector(["code_128", "qr_code", "ean_13"], "code");
  const fetched: string[] = [];
  page.on("request", (request) => fetched.push(new URL(request.url()).pathname));
  assert.deepEqual(await readIn(page, [{ drawn: "nothing", width: 1 }]), [qr], "its answer is taken");
  assert.deepEqual(fetched.filter((path) => path.includes("scanner")), []);
  await page.context().close();

  const none = await withDetector(["code_128", "qr_code"], "nothing");
  assert.deepEqual(await readIn(none, [{ drawn: "canvas", width: 240 }]), [null]);
  await none.context().close();
});

test("a detector that lacks a kind is not asked, and one that fails is not needed", async () => {
  const partial = await withDetector(["qr_code"], "nothing");
  assert.deepEqual(await readIn(partial, [{ drawn: "canvas", width: 240 }]), [qr]);
  assert.equal(await partial.evaluate(() => (globalThis as { asked?: number }).asked ?? 0), 0);
  await partial.context().close();
  const failing = await withDetector(["qr_code", "code_128"], "failure");
  assert.deepEqual(await readIn(failing, [{ drawn: "canvas", width: 240 }]), [qr]);
  await failing.context().close();
});

/** What becomes of a scan, and whether the camera is let go. */
async function scan(page: Page, how: "first" | "never" | "abort"): Promise<Record<string, unknown>> {
  return page.evaluate(async (how) => {
    const video = document.querySelector("video");
    if (video === null) throw new Error("no video");
    const controller = new AbortController();
    let seen = 0;
    const accept = () => {
      seen += 1;
      if (how === "abort") controller.abort(new Error("enough"));
      return how === "first";
    };
    const streams: MediaStream[] = [];
    const devices = navigator.mediaDevices;
    const openCamera = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (constraints) => {
      const stream = await openCamera(constraints);
      streams.push(stream);
      return stream;
    };
    const outcome = await globalThis.mps
      .scanCamera(video, { signal: controller.signal, accept, everyMs: 20 })
      .then((scanned) => ({ ...scanned }), (error: Error & { code?: string; reason?: string }) => ({ name: error.name, message: error.message, code: error.code, reason: error.reason }));
    const tracks = streams.flatMap((stream) => stream.getTracks());
    return { ...outcome, seen, tracks: tracks.map((track) => track.readyState), shown: video.srcObject };
  }, how);
}

test("a camera that sees a code gives it, ends by a signal, and is let go both times", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mps-scanner-"));
  const page = await open();
  const png = await page.evaluate(async (CODE) => Array.from(await globalThis.mps.qrPng(CODE)), CODE);
  const film = join(folder, "code.y4m");
  writeFilm(film, Buffer.from(png));
  const seeing = await launch(["--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${film}`]);
  try {
    const till = await open(seeing, ["camera"]);
    assert.deepEqual(await scan(till, "first"), { ...qr, seen: 1, tracks: ["ended"], shown: null });
    const aborted = await scan(till, "abort");
    assert.deepEqual([aborted["message"], aborted["tracks"], aborted["shown"]], ["enough", ["ended"], null]);
  } finally {
    await seeing.close();
    rmSync(folder, { recursive: true });
  }
  await page.context().close();
});

test("no permission, no camera and no interface for it are told apart", async () => {
  const forbidding = await launch(["--use-fake-device-for-media-stream", "--deny-permission-prompts"]);
  const denied = await scan(await open(forbidding), "first");
  assert.deepEqual([denied["name"], denied["code"], denied["reason"]], ["CameraError", "PERMISSION_DENIED", "denied"]);
  await forbidding.close();

  const blind = await scan(await open(browser, ["camera"]), "first");
  assert.deepEqual([blind["name"], blind["code"], blind["reason"]], ["CameraError", "UNAVAILABLE", "absent"]);

  const page = await open();
  const reason = await page.evaluate(async () => {
    Object.defineProperty(navigator, "mediaDevices", { value: undefined });
    const video = document.createElement("video");
    return globalThis.mps.scanCamera(video).catch((error: { reason?: string }) => error.reason);
  });
  assert.equal(reason, "unsupported");
  await page.context().close();
});
