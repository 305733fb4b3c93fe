import * as mps from "./node_modules/@mps/sdk/dist/script.js";
import { probe } from "./probe.js";

document.body.textContent = JSON.stringify({ ...probe(mps), webAssembly: typeof WebAssembly });
