// How wrong this device's clock is, by the server's: measured at every answer, kept for the hours without a network.

import { type KeyValueStorage, checkedStorage } from "./storage.js";
import { asMpsError, malformed, plainCopy } from "./thrown.js";

const name = "mps.clock";

/** What one answer says about this device's clock. */
export interface ClockReading {
  /** Milliseconds that the server's clock is ahead of this device's. */
  readonly skewMs: number;
  /** By so much the skew may be wrong: half the time the answer took, and half a second, since `Date` has whole ones. */
  readonly uncertaintyMs: number;
}

interface KeptClock {
  readonly skewMs: number;
  /** When it was measured, by this device's clock. */
  readonly measuredAt: number;
}

/** The reading of an answer's `Date`; none when it has no such header, or an unreadable one. */
export function clockReading(date: string | null, sentAt: number, receivedAt: number): ClockReading | undefined {
  const serverMs = date === null ? NaN : Date.parse(date);
  // A clock that was set back in between measures nothing.
  if (Number.isNaN(serverMs) || receivedAt < sentAt) return undefined;
  return { skewMs: serverMs + 500 - (sentAt + receivedAt) / 2, uncertaintyMs: (receivedAt - sentAt) / 2 + 500 };
}

/** Keeps a reading for the offline wallets of this storage, unless it says nothing new. Throws MALFORMED_ARGUMENT. */
export async function keepClock(storage: KeyValueStorage, reading: ClockReading): Promise<void> {
  const { skewMs, uncertaintyMs } = plainCopy(reading, "reading");
  const isNumber = Number.isFinite(skewMs) && typeof uncertaintyMs === "number" && uncertaintyMs >= 0;
  if (!isNumber) throw malformed("reading");
  const place = checkedStorage(storage);
  const now = Date.now();
  const kept = parse(await asMpsError("UNAVAILABLE", () => place.get(name)));
  const isOutdated = kept !== undefined && isSetBack(kept, now);
  const known = kept === undefined || isOutdated ? 0 : kept.skewMs;
  const isConfirmed = !isOutdated && Math.abs(skewMs - known) <= uncertaintyMs;
  // Nothing is kept of a clock that was always right; of another one, when it was last seen to be so.
  if (isConfirmed && (kept === undefined || now - kept.measuredAt < confirmedMsMin)) return;
  const text = JSON.stringify({ skewMs: isConfirmed ? known : skewMs, measuredAt: now } satisfies KeptClock);
  await asMpsError("UNAVAILABLE", () => place.set(name, text));
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
    return Number.isFinite(kept?.skewMs) && Number.isFinite(kept?.measuredAt) ? (kept as KeptClock) : undefined;
  } catch {
    return undefined;
  }
}
