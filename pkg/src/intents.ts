// One key for one intent: "the payment of order 17" is sent with the same key after a reload, and never with another request.

import { MpsError, errorOf } from "./errors.js";
import { freshKey, isKey } from "./keys.js";
import { changeKept } from "./kept.js";
import type { KeyValueStorage } from "./storage.js";
import { asMpsError, malformed } from "./thrown.js";

const prefix = "mps.intent.";

/** What is kept of an intent: its key, and what was asked with it. */
interface Kept {
  readonly key: string;
  readonly request: string;
}

/** A request that may still be under way. */
export interface KeptIntent {
  readonly idempotencyKey: string;
  /** The route's path. */
  readonly path: string;
  readonly body: unknown;
}

/** These refuse at the door: they say nothing about an earlier attempt that may have gone through. */
const atTheDoor: readonly string[] = ["NOT_AUTHENTICATED", "RATE_LIMITED"];

/** The text by which a request is known again. */
export function requestText(path: string, body: string | undefined): string {
  return `${path} ${body ?? ""}`;
}

/**
 * Calls `send` with the intent's key. The key is kept before anything is sent, one for all tabs, and given up only when a refusal
 * says that nothing was done.
 */
export async function sendIntent<T>(
  storage: KeyValueStorage,
  intent: string,
  request: string,
  send: (key: string) => Promise<T>,
): Promise<T> {
  const name = nameOf(intent);
  const key = await changeKept(storage, name, (text) => {
    const kept = parse(text);
    if (kept === undefined) {
      const fresh: Kept = { key: freshKey(), request };
      return [JSON.stringify(fresh), fresh.key];
    }
    if (kept.request !== request) throw errorOf("IDEMPOTENCY_KEY_REUSED", { idempotencyKey: kept.key });
    return [text, kept.key];
  });
  try {
    return await send(key);
  } catch (error) {
    const isSettled = error instanceof MpsError && error.retry !== "same_key" && !atTheDoor.includes(error.code);
    // A key that cannot be given up may be sent again: the refusal has forgotten it.
    if (isSettled) await asMpsError("UNAVAILABLE", () => storage.remove(name)).catch(() => undefined);
    throw error;
  }
}

/** What was asked under an intent that still stands. */
export async function keptIntent(storage: KeyValueStorage, intent: string): Promise<KeptIntent | undefined> {
  const name = nameOf(intent);
  const kept = parse(await asMpsError("UNAVAILABLE", () => storage.get(name)));
  return kept === undefined ? undefined : { idempotencyKey: kept.key, ...requestOf(kept.request) };
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
    if (!isKey(kept.key) || typeof kept.request !== "string") return undefined;
    requestOf(kept.request);
    return kept as Kept;
  } catch {
    return undefined;
  }
}

/** Throws when the text is none of `requestText`. */
function requestOf(text: string): { readonly path: string; readonly body: unknown } {
  const [path = ""] = text.split(" ", 1);
  const body = text.slice(path.length + 1);
  return { path, body: body === "" ? undefined : (JSON.parse(body) as unknown) };
}
