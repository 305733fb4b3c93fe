// The scanner reads at least what the best public readers read on the same pictures, and never a code that is not there.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { before, test } from "node:test";

import { init } from "@mps/sdk";
import { readFrame } from "@mps/sdk/scanner";
import jsqr from "jsqr";
import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";

import { type Picture, pictureOf, views } from "./scenes.ts";

// The types of jsQR are of a module that Node.js does not see in it.
const jsQR = jsqr as unknown as (data: Uint8ClampedArray, width: number, height: number) => { readonly data: string } | null;
const wasm = readFileSync(createRequire(import.meta.url).resolve("zxing-wasm/reader/zxing_reader.wasm"));

before(async () => {
  await init();
  prepareZXingModule({ overrides: { wasmBinary: Uint8Array.from(wasm).buffer } });
});

const byZXing = async ({ data, width, height }: Picture): Promise<string[]> => {
  const image = { data, width, height, colorSpace: "srgb" } as ImageData;
  const found = await readBarcodes(image, { formats: ["QRCode", "Code128"], tryHarder: true, tryInvert: true, tryRotate: true, tryDownscale: true });
  return found.map(({ text }) => text);
};

let seed = 0;
for (const [name, seen] of Object.entries(views)) {
  test(`${name}: whatever jsQR or zxing-cpp read is read, and no other code`, async (context) => {
    const read = { ours: 0, jsQR: 0, zxing: 0 };
    for (const view of seen) {
      const picture = pictureOf(view, (seed += 1));
      const { data, width, height, code } = picture;
      const ours = await readFrame({ data, width, height });
      const [one, other] = [jsQR(data, width, height)?.data === code, (await byZXing(picture)).includes(code)];
      const what = JSON.stringify({ ...view, seed });
      assert.ok(ours === undefined || ours.text === code, `${what} is read as ${ours?.text}`);
      assert.ok(ours !== undefined || !(one || other), `${what} is not read, but by ${one ? "jsQR" : "zxing-cpp"}`);
      read.ours += Number(ours !== undefined);
      read.jsQR += Number(one);
      read.zxing += Number(other);
    }
    context.diagnostic(`of ${seen.length}: ${read.ours}, jsQR ${read.jsQR}, zxing-cpp ${read.zxing}`);
  });
}
