import * as mps from "@mps/sdk";
import * as inline from "@mps/sdk/client";

import { probe } from "./probe.js";

export default {
  async fetch() {
    await mps.init();
    return Response.json({ ...probe(mps), client: typeof inline.MpsClient });
  },
};
