import * as mps from "@mps/sdk";
import { readFrame } from "@mps/sdk/scanner";

import { frameOf } from "./frame.js";
import { probe } from "./probe.js";

await mps.init();
const scanned = await readFrame(frameOf(mps.qrMatrix("701234567890123456789017")));
console.log(JSON.stringify({ ...probe(mps), scanned }));
