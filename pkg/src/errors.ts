// One error class a way out: fix it, sign in, try again, tell us. Branch on `code`, never on text.

import { type ErrorCode, errorCatalogue } from "./generated/errors.js";

/** Whether asking again can help. `same_key`: send the same again with the same key; `check_first`: it may be done, so look before. */
export type Retry = "never" | "after_fix" | "same_key" | "check_first";

/** What an answer says besides its code. */
export interface ErrorDetails {
  /** Of HTTP. */
  readonly status?: number;
  readonly retry?: Retry;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly requestId?: string;
  readonly idempotencyKey?: string;
  readonly keyCancelled?: boolean;
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
  /** Whether that key is cancelled: nothing was done with it and nothing ever will be. What is wanted anew takes another one. */
  readonly keyCancelled: boolean;

  /** What the details leave out is the catalogue's. */
  constructor(code: string, details: ErrorDetails = {}) {
    const told = plainDetails(details);
    const known = typeof code === "string" ? code : "INTERNAL";
    super(known, { cause: told.cause });
    const entry = isErrorCode(known) ? errorCatalogue[known] : undefined;
    this.code = known;
    this.status = told.status ?? entry?.status ?? 500;
    this.retry = told.retry ?? entry?.retry ?? "never";
    this.params = told.params ?? {};
    this.requestId = told.requestId;
    this.idempotencyKey = told.idempotencyKey;
    this.keyCancelled = told.keyCancelled ?? known === "REQUEST_CANCELLED";
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
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(errorCatalogue, code);
}

/** The error of a code, in the class of its status. */
export function errorOf(code: string, details: ErrorDetails = {}): MpsError {
  const status = plainDetails(details).status ?? (isErrorCode(code) ? errorCatalogue[code].status : 500);
  if (status === 401) return new Unauthenticated(code, details);
  if (status === 429 || status === 502 || status === 503 || status === 504) return new Unavailable(code, details);
  return status < 500 ? new Refused(code, details) : new Unexpected(code, details);
}

/** Those that are as documented, each read once: making an error must not fail on what it is made of. */
function plainDetails(details: unknown): ErrorDetails {
  if (typeof details !== "object" || details === null) return {};
  try {
    const { status, retry, params, requestId, idempotencyKey, keyCancelled, cause } = details as Record<string, unknown>;
    return {
      ...(typeof status === "number" ? { status } : {}),
      ...(isRetry(retry) ? { retry } : {}),
      ...(isRecord(params) ? { params } : {}),
      ...(typeof requestId === "string" ? { requestId } : {}),
      ...(typeof idempotencyKey === "string" ? { idempotencyKey } : {}),
      ...(typeof keyCancelled === "boolean" ? { keyCancelled } : {}),
      cause,
    };
  } catch {
    return {};
  }
}

function isRetry(value: unknown): value is Retry {
  return value === "never" || value === "after_fix" || value === "same_key" || value === "check_first";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
