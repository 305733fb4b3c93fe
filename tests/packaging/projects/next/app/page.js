import { createElement } from "react";

import * as mps from "@mps/sdk";
import * as scanner from "@mps/sdk/scanner";

import { answerOf } from "../answer.js";

/** Rendered at build time. */
export default async function Page() {
  return createElement("pre", {}, JSON.stringify(await answerOf(mps, scanner)));
}
