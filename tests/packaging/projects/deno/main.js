import * as mps from "@mps/sdk";

import { probe } from "./probe.js";

await mps.init();
console.log(JSON.stringify(probe(mps)));
