// How long one attempt may take: until its time is over or the caller wants it no more, whichever comes first.

import type { ErrorDetails } from "./errors.js";
import { reasonOf, throwIfAborted, unlessAborted } from "./signals.js";
import { isOne, malformed, mpsErrorOf, plainCopy } from "./thrown.js";

/** How long a call may wait. */
export interface WaitOptions {
  /** Ends the call; it then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds it may take; 15000 when left out. */
  readonly timeoutMs?: number | undefined;
}

const timeoutMsDefault = 15_000;
/** The longest that a timer can wait. */
const delayMsMax = 2 ** 31 - 1;

/** Whether a timer can wait so long. */
export function isDelay(value: unknown): boolean {
  return value === undefined || (typeof value === "number" && value >= 0 && value <= delayMsMax);
}

/** A caller's options, each read once. Throws MALFORMED_ARGUMENT with the `field` that is not as documented. */
export function checkedWait<T extends WaitOptions>(options: T): T {
  const given = plainCopy(options, "options");
  if (!isDelay(given.timeoutMs)) throw malformed("timeoutMs");
  if (given.signal !== undefined && !isOne(given.signal, globalThis.AbortSignal)) throw malformed("signal");
  return given;
}

/** The work's outcome, unless it takes too long, which is UNAVAILABLE as whatever else it fails of. Throws the signal's reason. */
export async function waitFor<T>(options: WaitOptions, work: (patience: Patience) => T | Promise<T>, details: ErrorDetails = {}): Promise<T> {
  const { signal, timeoutMs = timeoutMsDefault } = checkedWait(options);
  throwIfAborted(signal);
  const patience = new Patience(timeoutMs, signal);
  try {
    return await patience.within(Promise.resolve(work(patience)));
  } catch (cause) {
    throwIfAborted(signal);
    throw mpsErrorOf(cause, "UNAVAILABLE", details);
  } finally {
    patience.done();
  }
}

/** Ends whatever waits for it; `done` must be called at the end, so that no timer and no listener is left behind. */
export class Patience {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #end = (): void => this.#controller.abort(this.#outer && reasonOf(this.#outer));

  constructor(timeoutMs: number, outer: AbortSignal | undefined) {
    this.#outer = outer;
    this.#timer = setTimeout(() => this.#controller.abort(new DOMException("the attempt took too long", "TimeoutError")), timeoutMs);
    if (outer?.aborted === true) this.#end();
    else outer?.addEventListener("abort", this.#end, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The work's outcome, unless patience ends before it. */
  within<T>(work: Promise<T>): Promise<T> {
    return unlessAborted(work, this.signal);
  }

  done(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#end);
  }
}
