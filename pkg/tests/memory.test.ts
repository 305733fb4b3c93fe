// What stays in the core's memory, of WebAssembly and of the script: not the device key that was handed over, and of a script no former memory.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, test } from "node:test";

import * as wasm from "@mps/sdk";
import * as script from "@mps/sdk/script";

import { having } from "./globals.ts";

interface Core {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
}

const CODE = "701234567890123456789017";
const dist = (name: string): Promise<unknown> => import(new URL(`../dist/${name}`, import.meta.url).href);

const cores = {} as Record<"wasm" | "script", Core>;

before(async () => {
  await wasm.init();
  const glue = (await dist("mps.js")) as { default: () => Promise<Core> };
  cores.wasm = await glue.default();
  await script.init();
  // An instance of ours in place of its own, whose memory nobody shows.
  const translated = (await dist("mps_translated.js")) as { instantiate: (glue: object) => Core & { __wbindgen_start(): void } };
  const scriptGlue = (await dist("mps_script.js")) as { __wbg_set_wasm: (core: Core) => void };
  const core = translated.instantiate(scriptGlue);
  scriptGlue.__wbg_set_wasm(core);
  core.__wbindgen_start();
  cores.script = core;
});

for (const [name, sdk] of Object.entries({ wasm, script }) as ["wasm" | "script", typeof wasm][]) {
  test(`${name}: a device key, its text and what HMAC made of it are gone after a code, and after a refusal`, () => {
    const key = randomBytes(32);
    const device = { handle: "4242424242", device_key: key.toString("hex") };
    const pad = (byte: number): Buffer => Buffer.from(key.map((each) => each ^ byte));
    sdk.offlineCode(device, 60);
    sdk.offlineCode(device, 60, "K7Q2ZD");
    assert.throws(() => sdk.offlineCode({ ...device, handle: "1" }, 60), { code: "MALFORMED_ARGUMENT" });
    assert.throws(() => sdk.offlineCode(device, 60, "?"), { code: "TERMINAL_NOT_FOUND" });
    const held = Buffer.from(cores[name].memory.buffer);
    // The allocator writes over the beginning of what was freed, so the half behind is looked for too.
    for (const secret of [key, pad(0x36), pad(0x5c), Buffer.from(device.device_key)]) {
      assert.ok(!held.includes(secret) && !held.includes(secret.subarray(secret.length / 2)), secret.toString("latin1"));
    }
  });

  test(`${name}: this look at the memory sees what is not zeroed`, () => {
    sdk.parsePaymentCode(CODE);
    assert.ok(Buffer.from(cores[name].memory.buffer).includes(CODE.slice(12)));
  });
}

class None {
  constructor() {
    throw new RangeError("there is no more");
  }
}

test("a script's memory that grows leaves nothing in the former one, and the glue goes on with the new one", () => {
  const { memory } = cores.script;
  const former = memory.buffer;
  assert.ok(new Uint8Array(former).some((byte) => byte !== 0));
  assert.equal(memory.grow(1), former.byteLength / 65_536);
  assert.ok(memory.buffer !== former && memory.buffer.byteLength === former.byteLength + 65_536);
  assert.ok(new Uint8Array(former).every((byte) => byte === 0));
  assert.equal(script.quote({ cardType: "standard", rawAmount: "299.00", points: 1200 }).finalAmount, "284.05");
  assert.deepEqual(script.qrMatrix(CODE), wasm.qrMatrix(CODE));
  assert.ok(new Uint8Array(former).every((byte) => byte === 0), "nothing is written to the former one");
});

test("a script whose memory cannot grow says so to the core, and what breaks off in it is INTERNAL", async () => {
  const discount = "1.000";
  const levels = Array.from({ length: 1000 }, (_, level) => ({ level, name: "x".repeat(4096), pointsMin: level, pointsMax: level === 999 ? null : level, discount }));
  assert.equal(script.levelFor(7, levels.slice(-1).map((last) => ({ ...last, level: 0, pointsMin: 0 }))).level, 0);
  await having({ ArrayBuffer: None }, async () => {
    assert.equal(cores.script.memory.grow(1), -1);
    const isTrap = (error: unknown): boolean => error instanceof script.Unexpected && error.code === "INTERNAL" && (error.cause as Error).message === "unreachable";
    assert.throws(() => script.levelFor(7, levels), isTrap);
    return Promise.resolve();
  });
});
