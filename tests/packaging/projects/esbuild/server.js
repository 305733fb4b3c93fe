import * as mps from "@mps/sdk";
import * as scanner from "@mps/sdk/scanner";

import { answerOf } from "./answer.js";

console.log(JSON.stringify(await answerOf(mps, scanner)));
