// A failed call as the pages show it: one of the catalogue's codes, whatever was thrown.
import { type ErrorCode, isErrorCode, MpsError } from "@mps/sdk/client";

export interface Problem {
  code: ErrorCode;
  /** The same request, sent again with the same key, may succeed. */
  mayRetry: boolean;
  params: Readonly<Record<string, unknown>>;
  requestId: string | undefined;
}

/** A code that a newer server made up is shown as our fault, with the reference that explains it. */
export function readProblem(error: unknown): Problem {
  if (!(error instanceof MpsError)) {
    console.error(error);
    return { code: "INTERNAL", mayRetry: false, params: {}, requestId: undefined };
  }
  return {
    code: isErrorCode(error.code) ? error.code : "INTERNAL",
    mayRetry: error.retry === "same_key" || error.retry === "check_first",
    params: error.params,
    requestId: error.requestId,
  };
}
