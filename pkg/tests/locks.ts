// A runtime without Web Locks, as old WebViews and pages without TLS are.

/** Runs the work while `navigator` has no locks. */
export async function withoutLocks(work: () => Promise<void>): Promise<void> {
  const former = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  try {
    await work();
  } finally {
    if (former !== undefined) Object.defineProperty(globalThis, "navigator", former);
    else Reflect.deleteProperty(globalThis, "navigator");
  }
}
