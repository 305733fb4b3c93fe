import * as mps from "@mps/sdk";
import * as scanner from "@mps/sdk/scanner";

import { answerOf } from "./answer.js";

answerOf(mps, scanner).then((answer) => (document.body.textContent = JSON.stringify(answer)));
