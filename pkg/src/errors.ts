// One error class a way out: fix it, sign in, try again, tell us. Branch on `code`, never on text.

import { type ErrorCode, errorCatalogue } from "./generated/errors.js";

/** Whether asking again can help. */
export type Retry = "never" | "after_fix" | "same_key";

/** What an answer says besides its code. */
export interface ErrorDetails {
  readonly status?: number;
  readonly retry?: Retry;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly requestId?: string;
  readonly idempotencyKey?: string;
  readonly cause?: unknown;
}

/** A refusal or a failure. `code` is one of the catalogue's; a newer server may send one that is not yet in it. */
export class MpsError extends Error {
  override readonly name: string = "MpsError";
  readonly code: ErrorCode | (string & {});
  readonly status: number;
  readonly retry: Retry;
  readonly params: Readonly<Record<string, unknown>>;
  /** Finds the request in our logs. */
  readonly requestId: string | undefined;
  /** The key the request was sent with: retry with this one when the outcome is unknown. */
  readonly idempotencyKey: string | undefined;

  constructor(code: string, details: ErrorDetails = {}) {
    super(code, { cause: details.cause });
    const entry = isErrorCode(code) ? errorCatalogue[code] : undefined;
    this.code = code;
    this.status = details.status ?? entry?.status ?? 500;
    this.retry = details.retry ?? entry?.retry ?? "never";
    this.params = details.params ?? {};
    this.requestId = details.requestId;
    this.idempotencyKey = details.idempotencyKey;
  }
}

/** The request was understood and refused: tell the user, change something. */
export class Refused extends MpsError {
  override readonly name = "Refused";
}

/** Sign in (again). */
export class Unauthenticated extends MpsError {
  override readonly name = "Unauthenticated";
}

/** Not now, or the outcome is unknown: try again later, with the same `idempotencyKey`. */
export class Unavailable extends MpsError {
  override readonly name = "Unavailable";
}

/** Somebody's bug: show the request id. */
export class Unexpected extends MpsError {
  override readonly name = "Unexpected";
}

/** Whether the catalogue this package was built with has the code. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

/** The error of a code, in the class of its status. */
export function errorOf(code: string, details: ErrorDetails = {}): MpsError {
  const status = details.status ?? (isErrorCode(code) ? errorCatalogue[code].status : 500);
  if (status === 401) return new Unauthenticated(code, details);
  if (status === 429 || status === 502 || status === 503 || status === 504) return new Unavailable(code, details);
  return status < 500 ? new Refused(code, details) : new Unexpected(code, details);
}
