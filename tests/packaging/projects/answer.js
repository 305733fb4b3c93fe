// The whole answer of a project, by its own `mps` and scanner.

import { frameOf } from "./frame.js";
import { probe } from "./probe.js";

export async function answerOf(mps, { readFrame }) {
  await mps.init();
  return { ...probe(mps), scanned: await readFrame(frameOf(mps.qrMatrix("701234567890123456789017"))) };
}
