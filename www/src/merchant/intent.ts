// A charge the cashier has asked for, kept in this tab until it is answered: a reload asks again with the same key.
import type { ChargeRequest, ErrorCode } from "@mps/sdk/client";
import type { Problem } from "../problem.ts";

export interface Intent {
  key: string;
  request: ChargeRequest;
}

const keptAt = "mps.intent";

/** A new intent with its own key, kept before anything is sent. */
export function mintIntent(request: ChargeRequest): Intent {
  const intent = { key: crypto.randomUUID(), request };
  sessionStorage.setItem(keptAt, JSON.stringify(intent));
  return intent;
}

/** The intent of this merchant that still waits for its answer. */
export function keptIntent(merchantCode: string): Intent | undefined {
  const kept = sessionStorage.getItem(keptAt);
  if (kept === null) return undefined;
  const intent = JSON.parse(kept) as Intent;
  return intent.request.merchant_code === merchantCode ? intent : undefined;
}

export function forgetIntent(): void {
  sessionStorage.removeItem(keptAt);
}

/** These refuse at the door: they say nothing about an earlier attempt that may have gone through. */
const atTheDoor: ReadonlySet<ErrorCode> = new Set(["NOT_AUTHENTICATED", "RATE_LIMITED"]);

/** Whether the problem settles that nothing was charged with this key. */
export function isAnswered(problem: Problem): boolean {
  return !problem.mayRetry && !atTheDoor.has(problem.code);
}
