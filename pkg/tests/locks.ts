// A runtime whose `navigator` is another one.

/** Runs the work where that is the `navigator`. */
export async function withNavigator(value: object, work: () => Promise<void>): Promise<void> {
  const former = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value, configurable: true });
  try {
    await work();
  } finally {
    if (former !== undefined) Object.defineProperty(globalThis, "navigator", former);
    else Reflect.deleteProperty(globalThis, "navigator");
  }
}

/** Without Web Locks, as old WebViews and pages without TLS are. */
export function withoutLocks(work: () => Promise<void>): Promise<void> {
  return withNavigator({}, work);
}
