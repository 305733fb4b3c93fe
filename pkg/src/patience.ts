// How long one attempt may take: until its time is over or the caller wants it no more, whichever comes first.

import { reasonOf, unlessAborted } from "./signals.js";

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
