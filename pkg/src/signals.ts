// Signals as old WebViews have them: without `throwIfAborted`, some without a reason.

/** What an aborted signal is thrown as. */
export function reasonOf(signal: AbortSignal): Error {
  return (signal.reason as Error | undefined) ?? new DOMException("the call was aborted", "AbortError");
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw reasonOf(signal);
}

/** The work's outcome, or the signal's reason as soon as it is aborted: not everything that is waited for listens to a signal. */
export function unlessAborted<T>(work: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return Promise.resolve(work);
  return new Promise((resolve, reject) => {
    const end = (): void => reject(reasonOf(signal));
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", end));
  });
}
