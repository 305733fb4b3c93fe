// The wallet without a network: codes of an enrolled phone, made from its key and the time (PAYMENT-CODE.md, "On the phone").

import { keptSkewMs } from "./clock.js";
import { errorOf } from "./errors.js";
import { limits } from "./generated/limits.js";
import { changeKept, isLocked } from "./kept.js";
import * as wasm from "./mps.js";
import { type WaitOptions, waitFor } from "./patience.js";
import { refusing } from "./refusing.js";
import { type KeyValueStorage, checkedStorage } from "./storage.js";
import { malformed, plainCopy } from "./thrown.js";

const prefix = "mps.device.";
const stepMs = limits.code.otpStepSeconds * 1000;
const usedStepsKept = 10;

/** What the edge's `enrollDevice` answers, and for which card. The key is a secret: whoever has it pays with the card. */
export interface Enrolment {
  readonly card_id: string;
  /** Ten digits, the phone's public name. */
  readonly handle: string;
  /** 64 hexadecimal digits. */
  readonly device_key: string;
}

/** A code to show. */
export interface OfflineCode {
  /** 24 digits. */
  readonly code: string;
  /** "offlineTerminal": right at one terminal only. */
  readonly kind: "offline" | "offlineTerminal";
  /** Of 30 seconds since 1970, by the server's clock as far as it is known. Each step pays once, whatever the terminal. */
  readonly step: number;
  /** Whole seconds until its step is over, 1 to 30, or to 60 for the step to come. A till takes it a little longer. */
  readonly secondsLeft: number;
  /** The same in milliseconds since 1970 by this device's clock. */
  readonly endsAt: number;
}

/** No step is left: both that a till would take have been shown. */
export interface Wait {
  readonly kind: "wait";
  /** Whole seconds until the next code, 1 to 30. */
  readonly secondsToWait: number;
  /** The same in milliseconds since 1970 by this device's clock. */
  readonly endsAt: number;
}

/** What is kept of an enrolled phone. */
interface Kept {
  readonly handle: string;
  readonly device_key: string;
  /** The steps shown last, the latest at the end: a set and no maximum, so that a clock set back leaves the others to use. */
  readonly used: readonly number[];
}

/** Which step is to be shown; none when it is to be waited for. */
type Choice = (step: number, used: readonly number[]) => number | undefined;

/**
 * The code of a phone in the step that the time lies in: `72…` when it is for one terminal, else `71…`. `OfflineWallet` chooses the
 * steps. Throws MALFORMED_ARGUMENT and TERMINAL_NOT_FOUND with the `field`.
 */
export function offlineCode(
  device: Pick<Enrolment, "handle" | "device_key">,
  unixSeconds: number,
  terminal?: string | null,
): string {
  const { handle, device_key } = plainCopy(device, "device");
  if (!isShort(handle)) throw malformed("handle");
  if (!isShort(device_key)) throw malformed("device_key");
  if (typeof unixSeconds !== "number") throw malformed("now");
  // What is no text names no terminal, like text that is no terminal's code.
  const place = isShort(terminal) ? terminal : terminal == null ? undefined : "";
  return refusing(() => wasm.offlineCode(handle, device_key, unixSeconds, place));
}

/**
 * The enrolled phone of one card. It holds no key: that stays in the storage, is read for each code and zeroed in the core after it.
 * Times are milliseconds since 1970 by this device's clock; `keepClock` corrects them. Every method throws DEVICE_NOT_FOUND once
 * the phone is forgotten or enrolled anew, UNAVAILABLE when the storage fails or takes longer than `timeoutMs`, and the signal's reason.
 */
export class OfflineWallet {
  readonly cardId: string;
  /** The phone's public name; `revokeDevice` takes it. */
  readonly handle: string;
  readonly #storage: KeyValueStorage;

  private constructor(storage: KeyValueStorage, cardId: string, handle: string) {
    this.#storage = storage;
    this.cardId = cardId;
    this.handle = handle;
  }

  /**
   * Keeps an enrolment, in place of the card's earlier one. Throws MALFORMED_ARGUMENT with the `field`; that is `storage` where it
   * can neither be locked nor update in one step.
   */
  static async keep(storage: KeyValueStorage, enrolment: Enrolment, options: WaitOptions = {}): Promise<OfflineWallet> {
    const { card_id, handle, device_key } = plainCopy(enrolment, "enrolment");
    const name = nameOf(storage, card_id);
    offlineCode({ handle, device_key }, 0);
    await waitFor(options, ({ signal }) => changeKept(storage, name, (text) => {
      const earlier = parse(text);
      // The same phone again has shown what it has shown.
      const kept: Kept = { handle, device_key, used: isOf(handle, earlier) ? earlier.used : [] };
      return [JSON.stringify(kept), undefined];
    }, signal));
    return new OfflineWallet(storage, card_id, handle);
  }

  /** The wallet of an earlier `keep`; undefined when there is none. Throws MALFORMED_ARGUMENT as `keep` does. */
  static async open(storage: KeyValueStorage, cardId: string, options: WaitOptions = {}): Promise<OfflineWallet | undefined> {
    const name = nameOf(storage, cardId);
    const kept = parse(await waitFor(options, () => storage.get(name)));
    return kept === undefined ? undefined : new OfflineWallet(storage, cardId, kept.handle);
  }

  /** The code of this moment, the same throughout its step. Throws MALFORMED_ARGUMENT, TERMINAL_NOT_FOUND, DEVICE_NOT_FOUND. */
  async code(now: number = Date.now(), terminal?: string | null, options: WaitOptions = {}): Promise<OfflineCode> {
    // The present step is always there to be shown.
    return (await this.#show(now, terminal, options, (step) => step)) as OfflineCode;
  }

  /**
   * A code that was not shown before, for the next payment: of this step or the one to come, a till takes none beyond. Else how long
   * to wait. Throws as `code` does.
   */
  next(now: number = Date.now(), terminal?: string | null, options: WaitOptions = {}): Promise<OfflineCode | Wait> {
    const last = limits.code.otpStepsSkewMax;
    return this.#show(now, terminal, options, (step, used) => {
      for (let ahead = 0; ahead <= last; ahead += 1) if (!used.includes(step + ahead)) return step + ahead;
      return undefined;
    });
  }

  /** Deletes the key. `revokeDevice` ends the phone for the server too, which is what counts when it was copied. */
  forget(options: WaitOptions = {}): Promise<void> {
    return waitFor(options, ({ signal }) => {
      return changeKept(this.#storage, prefix + this.cardId, (text) => [isOf(this.handle, parse(text)) ? null : text, undefined], signal);
    });
  }

  async #show(now: number, terminal: string | null | undefined, options: WaitOptions, choose: Choice): Promise<OfflineCode | Wait> {
    if (!Number.isFinite(now) || now < 0) throw malformed("now");
    return waitFor(options, async ({ signal }) => {
      const skewMs = await keptSkewMs(this.#storage, now);
      const show = (text: string | null): readonly [string | null, OfflineCode | Wait] => this.#shown(text, now, skewMs, terminal, choose);
      return changeKept(this.#storage, prefix + this.cardId, show, signal);
    });
  }

  /** What is kept once the code is shown, and the code. */
  #shown(text: string | null, now: number, skewMs: number, terminal: string | null | undefined, choose: Choice): readonly [string | null, OfflineCode | Wait] {
    const kept = parse(text);
    if (!isOf(this.handle, kept)) throw errorOf("DEVICE_NOT_FOUND");
    const present = Math.floor((now + skewMs) / stepMs);
    const step = choose(present, kept.used);
    const endsAt = ((step ?? present) + 1) * stepMs - skewMs;
    const seconds = Math.ceil((endsAt - now) / 1000);
    if (step === undefined) return [text, { kind: "wait", secondsToWait: seconds, endsAt }];
    const code = offlineCode(kept, step * limits.code.otpStepSeconds, terminal);
    const kind = terminal == null ? "offline" : "offlineTerminal";
    const used = [...kept.used.filter((other) => other !== step), step].slice(-usedStepsKept);
    return [JSON.stringify({ ...kept, used }), { code, kind, step, secondsLeft: seconds, endsAt }];
  }
}

/** Where a card's enrolment is kept. */
function nameOf(storage: KeyValueStorage, cardId: string): string {
  if (typeof cardId !== "string" || cardId === "") throw malformed("card_id");
  if (!isLocked(checkedStorage(storage))) throw malformed("storage");
  return prefix + cardId;
}

/** No argument of ours is longer: what is, does not cross into the module. */
function isShort(text: unknown): text is string {
  return typeof text === "string" && text.length <= 64;
}

/** Whether it is this phone that is kept. */
function isOf(handle: string, kept: Kept | undefined): kept is Kept {
  return kept?.handle === handle;
}

function parse(text: unknown): Kept | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const kept = JSON.parse(text) as Partial<Kept> | null;
    const isWhole = typeof kept?.handle === "string" && typeof kept.device_key === "string" && Array.isArray(kept.used);
    return isWhole ? (kept as Kept) : undefined;
  } catch {
    return undefined;
  }
}
