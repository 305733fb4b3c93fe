// One key for one intent: "the payment of order 17" is sent with the same key after a reload, and never with another request.

import { MpsError, errorOf } from "./errors.js";
import { freshKey, isKey } from "./keys.js";
import type { KeyValueStorage } from "./storage.js";
import { asMpsError, malformed } from "./thrown.js";

const prefix = "mps.intent.";

/** What is kept of an intent: its key, and what was asked with it. */
interface Kept {
  readonly key: string;
  readonly request: string;
}

/** These refuse at the door: they say nothing about an earlier attempt that may have gone through. */
const atTheDoor: readonly string[] = ["NOT_AUTHENTICATED", "RATE_LIMITED"];

/** Calls `send` with the intent's key. The key is kept before anything is sent, and given up only when a refusal says that nothing was done. */
export async function sendIntent<T>(
  storage: KeyValueStorage,
  intent: string,
  request: string,
  send: (key: string) => Promise<T>,
): Promise<T> {
  const name = nameOf(intent);
  const kept = parse(await asMpsError("UNAVAILABLE", () => storage.get(name)));
  if (kept !== undefined && kept.request !== request) throw errorOf("IDEMPOTENCY_KEY_REUSED", { idempotencyKey: kept.key });
  const key = kept?.key ?? freshKey();
  if (kept === undefined) await asMpsError("UNAVAILABLE", () => storage.set(name, JSON.stringify({ key, request } satisfies Kept)));
  try {
    return await send(key);
  } catch (error) {
    const isSettled = error instanceof MpsError && error.retry !== "same_key" && !atTheDoor.includes(error.code);
    // A key that cannot be given up may be sent again: the refusal has forgotten it.
    if (isSettled) await asMpsError("UNAVAILABLE", () => storage.remove(name)).catch(() => undefined);
    throw error;
  }
}

/** Ends an intent: its next request gets a new key. */
export function forgetIntent(storage: KeyValueStorage, intent: string): Promise<void> {
  return asMpsError("UNAVAILABLE", () => storage.remove(nameOf(intent)));
}

function nameOf(intent: string): string {
  if (typeof intent !== "string" || intent === "") throw malformed("intent");
  return prefix + intent;
}

/** What a storage gives back may be anybody's. */
function parse(text: unknown): Kept | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const kept = JSON.parse(text) as Partial<Kept>;
    return isKey(kept.key) && typeof kept.request === "string" ? (kept as Kept) : undefined;
  } catch {
    return undefined;
  }
}
