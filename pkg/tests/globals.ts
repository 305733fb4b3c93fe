// A runtime that has other globals than this one, or lacks some.

/** Runs the work with these globals; one that is undefined is not there at all. */
export async function having(globals: Readonly<Record<string, unknown>>, work: () => Promise<void>): Promise<void> {
  const former = Object.keys(globals).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  for (const [name, value] of Object.entries(globals)) {
    if (value === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  try {
    await work();
  } finally {
    for (const [name, descriptor] of former) {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, descriptor);
    }
  }
}
