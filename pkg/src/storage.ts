// Where the package keeps what must outlive a reload: three places, and whatever else has the same three methods.

import { asMpsError, malformed, mpsErrorOf } from "./thrown.js";

/**
 * Keeps texts by name. One of ours that fails (full, forbidden, closed) throws UNAVAILABLE with the reason as its cause. A call that waited
 * too long goes on without its answer: whatever is asked of a name must be done in the order in which it was asked.
 */
export interface KeyValueStorage {
  /** The text, or null when there is none. */
  get(name: string): Promise<string | null>;
  /** Keeps a text, in place of the one it had. */
  set(name: string, value: string): Promise<void>;
  /** Forgets a text, if there is one. */
  remove(name: string): Promise<void>;
  /** Reads, changes and writes in one step that nobody comes between, other tabs included; null forgets. Where that can be had. */
  update?(name: string, change: (kept: string | null) => string | null): Promise<void>;
}

/** A caller's storage, when it is one. Throws MALFORMED_ARGUMENT. */
export function checkedStorage(storage: KeyValueStorage): KeyValueStorage {
  try {
    const isMethod = (method: "get" | "set" | "remove"): boolean => typeof storage[method] === "function";
    if (isMethod("get") && isMethod("set") && isMethod("remove")) return storage;
  } catch (cause) {
    throw malformed("storage", cause);
  }
  throw malformed("storage");
}

/** What a change answers, when it is a text or nothing. Throws MALFORMED_ARGUMENT. */
function textOrNothing(next: unknown): string | null {
  if (next === null || typeof next === "string") return next;
  // Nobody waits for a promise here, so that nobody would hear how it fails.
  void asMpsError("MALFORMED_ARGUMENT", () => next).catch(() => undefined);
  throw malformed("change");
}

/** Keeps until the page is left: for tests, and for servers that keep their own books. */
export function memoryStorage(): KeyValueStorage {
  const kept = new Map<string, string>();
  const put = (name: string, value: string | null): unknown => (value === null ? kept.delete(name) : kept.set(name, value));
  return {
    get: (name) => Promise.resolve(kept.get(name) ?? null),
    set: (name, value) => Promise.resolve(void put(name, value)),
    remove: (name) => Promise.resolve(void put(name, null)),
    update: (name, change) => asMpsError("UNAVAILABLE", () => void put(name, textOrNothing(change(kept.get(name) ?? null)))),
  };
}

/** `localStorage`, or `sessionStorage` to keep within a tab. It cannot update in one step: other tabs are other processes. */
export function webStorage(storage: Pick<Storage, "getItem" | "setItem" | "removeItem">): KeyValueStorage {
  const soon = <T>(work: () => T): Promise<T> => asMpsError("UNAVAILABLE", work);
  return {
    get: (name) => soon(() => storage.getItem(name)),
    set: (name, value) => soon(() => storage.setItem(name, value)),
    remove: (name) => soon(() => storage.removeItem(name)),
  };
}

const store = "texts";
/** An IndexedDB that did not open by then does not open; Safari's may at the next try. */
const openMsMax = 5_000;

/** IndexedDB, which workers have too. */
export function indexedDbStorage(name = "mps", factory?: IDBFactory): KeyValueStorage {
  let opening: Promise<IDBDatabase> | undefined;
  const open = (): Promise<IDBDatabase> => {
    opening ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = (factory ?? indexedDB).open(name, 1);
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        reject(new Error("IndexedDB does not open"));
      }, openMsMax);
      request.onupgradeneeded = () => void request.result.createObjectStore(store);
      request.onsuccess = () => {
        clearTimeout(timer);
        const database = request.result;
        if (isLate) return database.close();
        // Another tab wants it gone.
        database.onversionchange = () => database.close();
        resolve(database);
      };
      request.onerror = () => {
        clearTimeout(timer);
        reject(request.error ?? new Error("IndexedDB cannot be opened"));
      };
    }).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  const begin = async (mode: IDBTransactionMode): Promise<IDBTransaction> => {
    try {
      return (await open()).transaction(store, mode);
    } catch {
      // It was closed: a phone does so in the background.
      opening = undefined;
      return (await open()).transaction(store, mode);
    }
  };
  const run = <T>(mode: IDBTransactionMode, ask: (texts: IDBObjectStore) => IDBRequest<T>): Promise<T> => asMpsError("UNAVAILABLE", async () => {
    const transaction = await begin(mode);
    return new Promise<T>((resolve, reject) => {
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
    update: async (key, change) => {
      let failure: { readonly why: unknown } | undefined;
      // One transaction: of all tabs' that write, the browser runs one after the other.
      const changing = run("readwrite", (texts) => {
        const request = texts.get(key) as IDBRequest<string | undefined>;
        request.onsuccess = () => {
          try {
            const next = textOrNothing(change(request.result ?? null));
            if (next === null) texts.delete(key);
            else if (next !== request.result) texts.put(next, key);
          } catch (why) {
            failure = { why };
            texts.transaction.abort();
          }
        };
        return request;
      });
      await changing.catch((error: unknown) => {
        throw failure === undefined ? error : mpsErrorOf(failure.why, "UNAVAILABLE");
      });
    },
  };
}
