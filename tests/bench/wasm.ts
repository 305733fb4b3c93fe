// The package against well-known libraries that do the same, and what it weighs; `cargo xtask bench wasm` runs it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import * as mps from "@mps/sdk";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { hexToBytes } from "@noble/hashes/utils.js";
import Big from "big.js";
import { Decimal } from "decimal.js";
import { createHMAC, createSHA256 } from "hash-wasm";
import { correction, generate, mode } from "lean-qr";
import { toSvgSource } from "lean-qr/extras/svg";
import encodeQR from "qr";
import QRCode from "qrcode";
import qrcode from "qrcode-generator";
import { encode, renderSVG } from "uqr";

import { type ColdStart, coldStartsInChromium } from "./chromium.ts";
import { against, alternate, median } from "./rounds.ts";
import { weights } from "./weights.ts";

const rounds = Number(process.env["MPS_BENCH_ROUNDS"] ?? "7");
const CODE = "701234567890123456789017";
const BATCH = 100;

await mps.init();

function qrTables(): string[] {
  const numeric = (text: string) => {
    const symbol = qrcode(1, "Q");
    symbol.addData(text, "Numeric");
    symbol.make();
    return symbol;
  };
  const lean = (text: string) => generate(mode.numeric(text), { minCorrectionLevel: correction.Q, maxCorrectionLevel: correction.Q });
  const asked = { version: 1, errorCorrectionLevel: "Q" } as const;
  const matrices = alternate(
    {
      "@mps/sdk": () => mps.qrMatrix(CODE),
      qrcode: () => QRCode.create(CODE, asked).modules,
      qr: () => encodeQR(CODE, "raw", { ecc: "quartile", encoding: "numeric", version: 1, border: 1 }),
      "qrcode-generator": () => numeric(CODE),
      uqr: () => encode(CODE, { ecc: "Q", minVersion: 1, maxVersion: 1, border: 0 }),
      "lean-qr": () => lean(CODE),
    },
    rounds,
  );
  let svg = "";
  const pictures = alternate(
    {
      "@mps/sdk": () => mps.qrSvg(CODE),
      qrcode: () => {
        void QRCode.toString(CODE, { ...asked, type: "svg" }, (_error, text) => (svg = text));
        return svg;
      },
      qr: () => encodeQR(CODE, "svg", { ecc: "quartile", encoding: "numeric", version: 1, border: 4 }),
      "qrcode-generator": () => numeric(CODE).createSvgTag(),
      uqr: () => renderSVG(CODE, { ecc: "Q", minVersion: 1, maxVersion: 1, border: 4 }),
      "lean-qr": () => toSvgSource(lean(CODE)),
    },
    rounds,
  );
  return [against("A code as a matrix", matrices, "≥ 2 ×"), against("A code as SVG", pictures, "≥ 2 ×")];
}

/** What both libraries are asked: text in, the multiplier of a level, rounding to cents away from zero, points, text out. */
function quoteTables(): string[] {
  const points = 1200;
  const discounts = [[10_000, "0.850"], [5000, "0.900"], [1000, "0.950"], [0, "1.000"]] as const;
  const discount = (): string => discounts.find(([from]) => points >= from)?.[1] ?? "1.000";
  const decimal = (rawAmount: string) => {
    const raw = new Decimal(rawAmount);
    const final = raw.times(discount()).toDecimalPlaces(2, Decimal.ROUND_HALF_UP);
    return { rawAmount: raw.toFixed(2), discount: discount(), finalAmount: final.toFixed(2), pointsEarned: raw.floor().toNumber() };
  };
  const big = (rawAmount: string) => {
    const raw = new Big(rawAmount);
    const final = raw.times(discount()).round(2, Big.roundHalfUp);
    return { rawAmount: raw.toFixed(2), discount: discount(), finalAmount: final.toFixed(2), pointsEarned: raw.round(0, Big.roundDown).toNumber() };
  };
  const request = (rawAmount: string) => ({ cardType: "standard", rawAmount, points }) as const;
  const amounts = Array.from({ length: BATCH }, (_, at) => `${String(at * 37 + 1)}.${String(at % 100).padStart(2, "0")}`);
  const requests = amounts.map(request);
  for (const rawAmount of amounts) {
    const { finalAmount } = mps.quote(request(rawAmount));
    assert.deepEqual([decimal(rawAmount).finalAmount, big(rawAmount).finalAmount], [finalAmount, finalAmount]);
  }
  const each = { "decimal.js": () => decimal("299.00"), "big.js": () => big("299.00") };
  const single = alternate({ "@mps/sdk": () => mps.quote(request("299.00")), ...each }, rounds);
  const batches = alternate(
    {
      "@mps/sdk": () => mps.quoteBatch(requests),
      "decimal.js": () => amounts.map(decimal),
      "big.js": () => amounts.map(big),
    },
    rounds,
  );
  return [against("A quote", single, "≥ 1 ×"), against(`A batch of ${String(BATCH)} quotes`, batches, "≥ 1 ×")];
}

/** PAYMENT-CODE, "Offline": the password of a step, and the code around it. */
function codeOf(handle: string, mac: Uint8Array): string {
  const first = new DataView(mac.buffer, mac.byteOffset).getBigUint64(0) & 0x7fff_ffff_ffff_ffffn;
  const head = `71${handle}${String(first % 100_000_000_000n).padStart(11, "0")}`;
  let sum = 0;
  for (let at = 0; at < head.length; at += 1) {
    const digit = Number(head[at]);
    // Luhn: from the right, every second digit counts double, the last of them first.
    const counted = at % 2 === 0 ? digit * 2 : digit;
    sum += counted > 9 ? counted - 9 : counted;
  }
  return head + String((10 - (sum % 10)) % 10);
}

/** The key is text for all but hash-wasm, which cannot take one without a promise and has it prepared. */
async function offlineTable(): Promise<string> {
  const device = { handle: "4242424242", device_key: "0f".repeat(32) };
  const message = new Uint8Array(20);
  message.set(new TextEncoder().encode("mps/otp/v1"));
  const view = new DataView(message.buffer);
  const prepared = await createHMAC(createSHA256(), hexToBytes(device.device_key));
  const seconds = 1_795_000_000;
  const stepped = (): Uint8Array => {
    view.setBigUint64(11, BigInt(Math.floor(seconds / 30)));
    return message;
  };
  const contestants = {
    "@mps/sdk": () => mps.offlineCode(device, seconds),
    "@noble/hashes": () => codeOf(device.handle, hmac(sha256, hexToBytes(device.device_key), stepped())),
    "hash-wasm": () => codeOf(device.handle, prepared.init().update(stepped()).digest("binary")),
  };
  const [ours, ...others] = Object.values(contestants).map((contestant) => contestant());
  assert.deepEqual(others, [ours, ours]);
  return against("An offline code", alternate(contestants, rounds), "≥ 1 ×");
}

/** Each in a process of its own. */
function coldStartsInNode(): ColdStart[] {
  const script = `const began = performance.now();
    const mps = await import("@mps/sdk");
    const loaded = performance.now();
    await mps.init();
    const started = performance.now();
    console.log(JSON.stringify({ script: loaded - began, init: started - loaded }));`;
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const run = () =>
    JSON.parse(execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd, encoding: "utf8" })) as ColdStart;
  return Array.from({ length: 3 * rounds }, run);
}

const spread = (times: readonly number[]): string =>
  `${median(times).toFixed(1)} ms (${Math.min(...times).toFixed(1)}–${Math.max(...times).toFixed(1)})`;

const cold = (where: string, starts: readonly ColdStart[]): string =>
  `| ${where} | ${spread(starts.map(({ init }) => init))} | ≤ 10 ms | ${spread(starts.map(({ script }) => script))} |`;

console.log(["| What | Measured | The quickest of the others (and the rest) | Ratio (range of the rounds) | Goal |", "|---|---|---|---|---|", ...qrTables(), ...quoteTables(), await offlineTable()].join("\n"));
console.log(["", "| Cold | `init()`, median (range) | Goal | The script before it |", "|---|---|---|---|", cold("Node.js", coldStartsInNode()), cold("Chromium", await coldStartsInChromium(3 * rounds))].join("\n"));
console.log(["", "| Entry | raw | gzip | brotli | Budget, gzip |", "|---|---|---|---|---|", ...(await weights())].join("\n"));
