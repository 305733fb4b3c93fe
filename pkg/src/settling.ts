// A keyed request that was refused although an earlier one with its key may still be on its way: the refusal is true once the key is cancelled.

import { type ErrorDetails, type MpsError, Unauthenticated, Unavailable, errorOf } from "./errors.js";
import { throwIfAborted } from "./signals.js";

/** All that an error says besides its code. */
export function detailsOf(error: MpsError): ErrorDetails {
  return { ...error, cause: error.cause } as ErrorDetails;
}

/**
 * Cancels the key, and throws the refusal as one with a cancelled key. Where the request was done after all, the answer of sending it
 * again. Throws `Unavailable` where neither can be had, and the signal's reason.
 */
export async function settleRefusal<T>(
  refusal: MpsError,
  cancel: () => Promise<{ readonly cancelled: unknown }>,
  again: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const told = detailsOf(refusal);
  if (refusal.code === "IDEMPOTENCY_KEY_REUSED" || refusal.keyCancelled) throw refusal;
  // Nobody cancels anything without a session: sign in, then send it again with the same key.
  if (refusal instanceof Unauthenticated) throw errorOf(refusal.code, { ...told, retry: "same_key" });
  const { idempotencyKey = "" } = refusal;
  let cancelled: unknown;
  try {
    ({ cancelled } = await cancel());
    if (cancelled === false) return await again();
  } catch {
    // Nobody knows.
    cancelled = undefined;
  }
  throwIfAborted(signal);
  if (cancelled === true) throw errorOf(refusal.code, { ...told, keyCancelled: true });
  throw new Unavailable("UNAVAILABLE", { idempotencyKey, cause: refusal });
}
