import * as mps from "@mps/sdk/inline";
import * as scanner from "@mps/sdk/scanner/inline";

import { answerOf } from "./answer.js";

document.body.textContent = JSON.stringify(await answerOf(mps, scanner));
