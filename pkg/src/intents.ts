// One key for one intent: "the payment of order 17" is sent with the same key until it is forgotten or cancelled, over reloads and
// refusals, so that the database does it once whatever an answer in between says.

import { errorOf } from "./errors.js";
import { freshKey, isKey } from "./keys.js";
import { changeKept } from "./kept.js";
import { type WaitOptions, waitFor } from "./patience.js";
import type { KeyValueStorage } from "./storage.js";
import { malformed } from "./thrown.js";
import type { Sending } from "./transport.js";

const prefix = "mps.intent.";

/** What is kept of an intent: its key, and what was asked with it. */
interface Kept {
  readonly key: string;
  readonly request: string;
  /** Nothing was done of it. Else it was done, or may have been, and no other request takes its place. */
  readonly isRefused?: boolean;
  /** How often it was sent, so that whoever is refused knows whether another tab has sent it meanwhile. */
  readonly sends?: number;
}

/** A request that may still be under way. */
export interface KeptIntent {
  readonly idempotencyKey: string;
  /** The route's path. */
  readonly path: string;
  readonly body: unknown;
}

/** The text by which a request is known again. */
export function requestText(path: string, body: string | undefined): string {
  return `${path} ${body ?? ""}`;
}

/**
 * Calls `send` with the intent's key, kept before anything is sent. Another request is refused with IDEMPOTENCY_KEY_REUSED, unsent,
 * unless it is certain that nothing was done of the one before.
 */
export async function sendIntent<T>(
  storage: KeyValueStorage,
  intent: string,
  request: string,
  wait: WaitOptions,
  send: (key: string, sending: Sending) => Promise<T>,
): Promise<T> {
  const name = nameOf(intent);
  const { key, mayBeDone, sends } = await waitFor(wait, ({ signal }) => changeKept(storage, name, (text) => begin(text, request), signal));
  const sending: Sending = { mayBeDone };
  try {
    return await send(key, sending);
  } catch (error) {
    if (sending.isCancelled === true) await end(storage, name, key, undefined, wait);
    else if (!sending.mayBeDone && !(await end(storage, name, key, sends, wait))) return await send(key, { mayBeDone: true });
    throw error;
  }
}

interface Begun {
  readonly key: string;
  readonly mayBeDone: boolean;
  readonly sends: number;
}

function begin(text: string | null, request: string): readonly [string, Begun] {
  const kept = parse(text);
  const mayBeDone = kept !== undefined && kept.isRefused !== true;
  const key = kept?.key ?? freshKey();
  if (mayBeDone && meaningOf(kept.request) !== meaningOf(request)) throw errorOf("IDEMPOTENCY_KEY_REUSED", { idempotencyKey: key });
  const sends = (kept?.sends ?? 0) + 1;
  return [JSON.stringify({ key, request: mayBeDone ? kept.request : request, sends } satisfies Kept), { key, mayBeDone, sends }];
}

/**
 * Notes that nothing was done with the key: for good when it was cancelled (`sends` undefined), else as long as nobody sends it again.
 * False when somebody has sent it since, and may be told something else. Where it cannot be noted, it is as if nobody knew.
 */
function end(storage: KeyValueStorage, name: string, key: string, sends: number | undefined, wait: WaitOptions): Promise<boolean> {
  const change = waitFor(wait, ({ signal }) => changeKept<boolean>(storage, name, (text) => {
    const kept = parse(text);
    if (kept?.key !== key) return [text, true];
    if (sends === undefined) return [null, true];
    return kept.sends === sends ? [JSON.stringify({ ...kept, isRefused: true } satisfies Kept), true] : [text, false];
  }, signal));
  return change.catch(() => true);
}

/** What was asked under an intent and may have been done. */
export async function keptIntent(storage: KeyValueStorage, intent: string, wait: WaitOptions): Promise<KeptIntent | undefined> {
  const name = nameOf(intent);
  const kept = parse(await waitFor(wait, () => storage.get(name)));
  if (kept === undefined || kept.isRefused === true) return undefined;
  return { idempotencyKey: kept.key, ...requestOf(kept.request) };
}

/** Ends an intent: its next request gets a new key. */
export function forgetIntent(storage: KeyValueStorage, intent: string, wait: WaitOptions): Promise<void> {
  return waitFor(wait, () => storage.remove(nameOf(intent)));
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

/** Alike for requests that the server takes for the same: the order of fields says nothing, null is left out, `tag` is a note. */
function meaningOf(text: string): string {
  const { path, body } = requestOf(text);
  const fields = Object.entries(body ?? {}).filter(([name, value]) => value !== null && name !== "tag");
  return JSON.stringify([path, fields.sort(([one], [other]) => (one < other ? -1 : 1))]);
}
