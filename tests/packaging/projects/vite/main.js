import * as mps from "@mps/sdk";

import { probe } from "./probe.js";

await mps.init();
document.body.textContent = JSON.stringify(probe(mps));
