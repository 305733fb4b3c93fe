import * as mps from "@mps/sdk";
import * as scanner from "@mps/sdk/scanner";

import { answerOf } from "../../../answer.js";

export const dynamic = "force-dynamic";
export const runtime = "edge";

export async function GET() {
  return Response.json(await answerOf(mps, scanner));
}
