// Where the package keeps what must outlive a reload: three places, and whatever else has the same three methods.

import { asMpsError } from "./thrown.js";

/** Keeps texts by name. One of ours that fails (full, forbidden, closed) throws UNAVAILABLE with the reason as its cause. */
export interface KeyValueStorage {
  /** The text, or null when there is none. */
  get(name: string): Promise<string | null>;
  /** Keeps a text, in place of the one it had. */
  set(name: string, value: string): Promise<void>;
  /** Forgets a text, if there is one. */
  remove(name: string): Promise<void>;
}

/** Keeps until the page is left: for tests, and for servers that keep their own books. */
export function memoryStorage(): KeyValueStorage {
  const kept = new Map<string, string>();
  return {
    get: (name) => Promise.resolve(kept.get(name) ?? null),
    set: (name, value) => Promise.resolve(void kept.set(name, value)),
    remove: (name) => Promise.resolve(void kept.delete(name)),
  };
}

/** `localStorage`, or `sessionStorage` to keep within a tab. */
export function webStorage(storage: Pick<Storage, "getItem" | "setItem" | "removeItem">): KeyValueStorage {
  const soon = <T>(work: () => T): Promise<T> => asMpsError("UNAVAILABLE", work);
  return {
    get: (name) => soon(() => storage.getItem(name)),
    set: (name, value) => soon(() => storage.setItem(name, value)),
    remove: (name) => soon(() => storage.removeItem(name)),
  };
}

const store = "texts";

/** IndexedDB, which workers have too. */
export function indexedDbStorage(name = "mps", factory?: IDBFactory): KeyValueStorage {
  let opening: Promise<IDBDatabase> | undefined;
  const open = (): Promise<IDBDatabase> => {
    opening ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = (factory ?? indexedDB).open(name, 1);
      request.onupgradeneeded = () => void request.result.createObjectStore(store);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error("IndexedDB cannot be opened"));
    }).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  const run = <T>(mode: IDBTransactionMode, ask: (texts: IDBObjectStore) => IDBRequest<T>): Promise<T> => asMpsError("UNAVAILABLE", async () => {
    const database = await open();
    return new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(store, mode);
      const request = ask(transaction.objectStore(store));
      // A write counts when its transaction is through, not when it was asked for.
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB gave up"));
    });
  });
  return {
    get: async (key) => ((await run("readonly", (texts) => texts.get(key) as IDBRequest<string | undefined>)) ?? null),
    set: async (key, value) => void (await run("readwrite", (texts) => texts.put(value, key))),
    remove: async (key) => void (await run("readwrite", (texts) => texts.delete(key))),
  };
}
