import * as mps from "./node_modules/@mps/sdk/dist/inline.js";
import { probe } from "./probe.js";

await mps.init();
document.body.textContent = JSON.stringify(probe(mps));
