// What is kept changes under one lock across tabs: a Web Lock where there are some, else in one step of the storage itself.

import { errorOf } from "./errors.js";
import { throwIfAborted, unlessAborted } from "./signals.js";
import type { KeyValueStorage } from "./storage.js";
import { asMpsError } from "./thrown.js";

/** Of what is kept under a name makes what is kept from now on, null for nothing, and an answer. */
export type Change<T> = (kept: string | null) => readonly [next: string | null, answer: T];

/** Whether `changeKept` lets nobody come between here, other tabs included. */
export function isLocked(storage: KeyValueStorage): boolean {
  try {
    return lockManager() !== undefined || storage.update !== undefined;
  } catch {
    return false;
  }
}

/**
 * Reads, changes and writes, one tab after the other, or where nothing locks one call of this page after the other; a change that
 * throws leaves all as it was. A storage that fails is UNAVAILABLE. Whoever waits no more, as `ending` says, holds no lock and changes nothing.
 */
export function changeKept<T>(storage: KeyValueStorage, name: string, change: Change<T>, ending: AbortSignal): Promise<T> {
  const work = (): Promise<T> => asMpsError("UNAVAILABLE", () => {
    throwIfAborted(ending);
    return unlessAborted(rewrite(storage, name, change, ending), ending);
  });
  return asMpsError("UNAVAILABLE", async () => {
    let hasBegun = false;
    try {
      const locked = lockManager()?.request(`mps ${name}`, { signal: ending }, () => {
        hasBegun = true;
        return work();
      });
      if (locked !== undefined) return await unlessAborted(locked, ending);
    } catch (error) {
      throwIfAborted(ending);
      // A sandboxed page has locks that are refused to it.
      if (hasBegun) throw error;
    }
    return unlessAborted(storage.update === undefined ? inTurn(name, work) : work(), ending);
  });
}

const turns = new Map<string, Promise<unknown>>();

async function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
  const before = turns.get(name) ?? Promise.resolve();
  const turn = before.then(work, work);
  turns.set(name, turn);
  try {
    return await turn;
  } finally {
    if (turns.get(name) === turn) turns.delete(name);
  }
}

async function rewrite<T>(storage: KeyValueStorage, name: string, change: Change<T>, ending: AbortSignal): Promise<T> {
  if (storage.update === undefined) {
    const kept = await storage.get(name);
    throwIfAborted(ending);
    const [next, answer] = change(kept);
    if (next === null) await storage.remove(name);
    else if (next !== kept) await storage.set(name, next);
    return answer;
  }
  const answers: T[] = [];
  await storage.update(name, (kept) => {
    throwIfAborted(ending);
    const [next, answer] = change(kept);
    answers.push(answer);
    return next;
  });
  // A storage that did not even ask has kept nothing.
  if (answers.length === 0) throw errorOf("UNAVAILABLE");
  return answers.at(-1) as T;
}

/** Old WebViews, pages without TLS and servers have none. */
function lockManager(): LockManager | undefined {
  return (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;
}
