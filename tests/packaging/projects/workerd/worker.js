import * as mps from "@mps/sdk";
import * as inline from "@mps/sdk/client";
import { readFrame } from "@mps/sdk/scanner";

import { frameOf } from "./frame.js";
import { probe } from "./probe.js";

export default {
  async fetch() {
    await mps.init();
    const scanned = await readFrame(frameOf(mps.qrMatrix("701234567890123456789017")));
    return Response.json({ ...probe(mps), scanned, client: typeof inline.MpsClient });
  },
};
