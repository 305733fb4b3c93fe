// How wrong this device's clock is, by the server's: measured at every answer, kept for the hours without a network.

import { type WaitOptions, waitFor } from "./patience.js";
import { type KeyValueStorage, checkedStorage } from "./storage.js";
import { malformed, plainCopy } from "./thrown.js";

const name = "mps.clock";

/** What one answer says about this device's clock. */
export interface ClockReading {
  /** Milliseconds that the server's clock is ahead of this device's. */
  readonly skewMs: number;
  /** By so much the skew may be wrong: half the time the answer took, and half a second, since `Date` has whole ones. */
  readonly uncertaintyMs: number;
  /** When the answer came, by this device's clock; now when left out. */
  readonly measuredAt?: number | undefined;
}

type Measured = ClockReading & { readonly measuredAt: number };

interface KeptClock {
  readonly skewMs: number;
  /** When it was measured, by this device's clock. */
  readonly measuredAt: number;
  /** A reading far from it, which one more must confirm. */
  readonly jump?: Measured;
}

/** A larger change than this one step of the codes, which one stale answer would turn away from all tills, wants a second opinion. */
const jumpMsMin = 30_000;

/**
 * The reading of an answer's `Date`; none when it has no such header, or an unreadable one. An answer that lay in a cache, as its `Age`
 * says, tells no time.
 */
export function clockReading(headers: Pick<Headers, "get">, sentAt: number, receivedAt: number): ClockReading | undefined {
  const [date, age] = [headers.get("Date"), headers.get("Age")];
  const serverMs = date === null ? NaN : Date.parse(date);
  const isCached = age !== null && Number(age) !== 0;
  // A clock that was set back in between measures nothing.
  if (Number.isNaN(serverMs) || isCached || receivedAt < sentAt) return undefined;
  const uncertaintyMs = (receivedAt - sentAt) / 2 + 500;
  return { skewMs: serverMs + 500 - (sentAt + receivedAt) / 2, uncertaintyMs, measuredAt: receivedAt };
}

/**
 * Keeps a reading for the offline wallets of this storage, unless it says nothing new. One that is more than 30 seconds from what was
 * known counts from the second on that says so. Throws MALFORMED_ARGUMENT, UNAVAILABLE, the signal's reason.
 */
export async function keepClock(storage: KeyValueStorage, reading: ClockReading, options: WaitOptions = {}): Promise<void> {
  const { skewMs, uncertaintyMs, measuredAt = Date.now() } = plainCopy(reading, "reading");
  const isNumber = Number.isFinite(skewMs) && Number.isFinite(measuredAt) && typeof uncertaintyMs === "number" && uncertaintyMs >= 0;
  if (!isNumber) throw malformed("reading");
  const place = checkedStorage(storage);
  await waitFor(options, async () => {
    const next = nextClock(parse(await place.get(name)), { skewMs, uncertaintyMs, measuredAt });
    if (next !== undefined) await place.set(name, JSON.stringify(next));
  });
}

/** What is kept after a reading; none when it stays as it was. */
function nextClock(kept: KeptClock | undefined, reading: Measured): KeptClock | undefined {
  const { skewMs, uncertaintyMs, measuredAt } = reading;
  const isOutdated = kept !== undefined && isSetBack(kept, measuredAt);
  const known = kept === undefined || isOutdated ? 0 : kept.skewMs;
  const wrongMs = Math.abs(skewMs - known);
  if (!isOutdated && wrongMs <= uncertaintyMs) {
    // Nothing is kept of a clock that was always right; of another one, when it was last seen to be so.
    const isNews = kept !== undefined && (kept.jump !== undefined || measuredAt - kept.measuredAt >= confirmedMsMin);
    return isNews ? { skewMs: known, measuredAt } : undefined;
  }
  if (wrongMs <= jumpMsMin + uncertaintyMs) return { skewMs, measuredAt };
  const first = isOutdated ? undefined : kept?.jump;
  if (first === undefined || !agree(first, reading)) return { skewMs: known, measuredAt: kept === undefined || isOutdated ? measuredAt : kept.measuredAt, jump: reading };
  return isSecondOpinion(first, reading) ? { skewMs, measuredAt } : undefined;
}

function agree(one: Measured, other: Measured): boolean {
  return Math.abs(one.skewMs - other.skewMs) <= one.uncertaintyMs + other.uncertaintyMs;
}

/** Two answers with the same stale `Date` differ by the time between them: after so long they do not agree. */
function isSecondOpinion(first: Measured, second: Measured): boolean {
  return second.measuredAt - first.measuredAt > 2 * (first.uncertaintyMs + second.uncertaintyMs);
}

/** Milliseconds to add to this device's `now`; 0 when nothing is known. */
export async function keptSkewMs(storage: KeyValueStorage, now: number): Promise<number> {
  const kept = parse(await storage.get(name));
  return kept === undefined || isSetBack(kept, now) ? 0 : kept.skewMs;
}

/** A confirmed skew is kept anew this often, and not at every answer. */
const confirmedMsMin = 60_000;

/** Clocks are trimmed by this much without being set; an error of it is harmless. */
const trimmedMsMax = 10_000;

/** A clock that was set back since is another clock: what was measured of it no longer holds. */
function isSetBack(kept: KeptClock, now: number): boolean {
  return now < kept.measuredAt - trimmedMsMax;
}

/** What a storage gives back may be anybody's. */
function parse(text: unknown): KeptClock | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const kept = JSON.parse(text) as Partial<KeptClock> | null;
    if (!Number.isFinite(kept?.skewMs) || !Number.isFinite(kept?.measuredAt)) return undefined;
    const { jump, ...clock } = kept as KeptClock;
    const isJump = [jump?.skewMs, jump?.uncertaintyMs, jump?.measuredAt].every((part) => Number.isFinite(part));
    return jump !== undefined && isJump ? { ...clock, jump } : clock;
  } catch {
    return undefined;
  }
}
