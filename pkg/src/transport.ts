// One request to the edge: the token, the key, the time allowed, the retries that are safe, and the answer or its error.

import { parseAnswer } from "./answers.js";
import { type Call, cancellationOf } from "./call.js";
import { type ClockReading, clockReading } from "./clock.js";
import { type ErrorDetails, MpsError, Unauthenticated, Unavailable, Unexpected, errorOf } from "./errors.js";
import { headerOf } from "./keys.js";
import { Patience, checkedWait, isDelay } from "./patience.js";
import { detailsOf, settleRefusal } from "./settling.js";
import { reasonOf, throwIfAborted } from "./signals.js";
import type { KeyValueStorage } from "./storage.js";
import { asMpsError, malformed, mpsErrorOf, plainCopy } from "./thrown.js";

/** How the client reaches the edge. */
export interface MpsClientOptions {
  /** The edge's address: "https://pay.example.com", or in a page the path of its own server that leads there: "/pay". */
  readonly baseUrl: string;
  /** Gives the access token of the moment, or null when nobody is signed in; asked before every attempt. */
  readonly accessToken: () => string | null | Promise<string | null>;
  /** Milliseconds one attempt may take; 15000 when left out. */
  readonly timeoutMs?: number | undefined;
  /** How often a request is sent again when that is safe: 0 to 3, 3 when left out. */
  readonly retriesMax?: number | undefined;
  /** Milliseconds before the first retry, doubled for each further one, with full jitter; 250 when left out. */
  readonly retryDelayMs?: number | undefined;
  /** In place of the host's own. */
  readonly fetch?: typeof fetch | undefined;
  /** Where the keys of intents are kept; the page's memory when left out. */
  readonly storage?: KeyValueStorage | undefined;
  /**
   * Told of every answer that says what time it is at the server: `(reading) => keepClock(storage, reading)` corrects offline codes.
   * What it throws is lost.
   */
  readonly onServerTime?: ((reading: ClockReading) => unknown) | undefined;
}

/** What a caller may say about one call. */
export interface CallOptions {
  /** Ends the call; it then throws the signal's reason. The outcome of a charge is then unknown. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds one attempt may take, and each wait for the storage. */
  readonly timeoutMs?: number | undefined;
}

/** What is known of all that was sent with a key. */
export interface Sending {
  /** Something was sent that may have been done, or may yet be. */
  mayBeDone: boolean;
  /** Nothing was done, and nothing ever will be: the key is cancelled. */
  isCancelled?: boolean;
}

const RETRIES_MAX = 3;
const TIMEOUT_MS = 15_000;
const RETRY_DELAY_MS = 250;

export class Transport {
  readonly #options: MpsClientOptions;

  /** Throws MALFORMED_ARGUMENT with the `field` that is not as documented. */
  constructor(options: MpsClientOptions) {
    this.#options = checkedOptions(options);
  }

  /** How long each wait of a call may take. Throws MALFORMED_ARGUMENT with the `field` that is not as documented. */
  waitOf(options: CallOptions): { readonly signal: AbortSignal | undefined; readonly timeoutMs: number } {
    const { signal, timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS } = checkedWait(options);
    return { signal, timeoutMs };
  }

  /**
   * The answer's body. Retries only what is safe: reads and keyed calls, when the outcome is unknown. After an attempt of unknown outcome
   * a refusal of a keyed call is final only once its key is cancelled: until then that attempt may still overtake it.
   */
  async send<T>(call: Call, options: CallOptions, sending: Sending = { mayBeDone: false }): Promise<T> {
    const wasSent = sending.mayBeDone;
    const answer = await this.#sendRepeatedly<T>(call, options, sending);
    // With a key that was nobody's before, the earlier request was an attempt of this call.
    return wasSent || !isRecord(answer) || answer["replayed"] !== true ? answer : { ...answer, replayed: false };
  }

  async #sendRepeatedly<T>(call: Call, options: CallOptions, sending: Sending): Promise<T> {
    const { signal, timeoutMs } = this.waitOf(options);
    const retriesMax = Math.min(this.#options.retriesMax ?? RETRIES_MAX, RETRIES_MAX);
    const isSafe = call.isRead || call.idempotencyKey !== undefined;
    for (let retries = 0; ; retries += 1) {
      const wasSent = sending.mayBeDone;
      const error = await this.#attempt<T>(call, timeoutMs, signal, sending);
      if (!(error instanceof MpsError)) return error.answer;
      if (error.retry !== "same_key" || !isSafe || retries >= retriesMax) {
        if (error.retry === "same_key" && !isSafe && sending.mayBeDone) throw errorOf(error.code, { ...detailsOf(error), retry: "check_first" });
        if (error.retry === "same_key" || call.idempotencyKey === undefined || !wasSent) throw error;
        return await this.#settle<T>(call, options, timeoutMs, error, sending);
      }
      await pause((this.#options.retryDelayMs ?? RETRY_DELAY_MS) * 2 ** retries * Math.random(), signal);
    }
  }

  /** The outcome of a call that was refused while an earlier attempt may still be on its way: cancelled, or done after all. */
  async #settle<T>(call: Call, options: CallOptions, timeoutMs: number, refusal: MpsError, sending: Sending): Promise<T> {
    const again = async (): Promise<T> => {
      const last = await this.#attempt<T>(call, timeoutMs, options.signal, sending);
      if (last instanceof MpsError) throw last;
      return last.answer;
    };
    try {
      return await settleRefusal(refusal, () => this.send(cancellationOf(call), options), again, options.signal);
    } catch (error) {
      if (error instanceof MpsError && error.keyCancelled) Object.assign(sending, { mayBeDone: false, isCancelled: true });
      throw error;
    }
  }

  /** One attempt: its answer, or why there is none. Throws the signal's reason only. */
  async #attempt<T>(call: Call, timeoutMs: number, signal: AbortSignal | undefined, sending: Sending): Promise<{ readonly answer: T } | MpsError> {
    throwIfAborted(signal);
    const patience = new Patience(timeoutMs, signal);
    try {
      return { answer: await this.#ask<T>(call, patience, sending) };
    } catch (cause) {
      throwIfAborted(signal);
      return mpsErrorOf(cause, "UNAVAILABLE", keyOf(call));
    } finally {
      patience.done();
    }
  }

  /** Throws anything: what is no `MpsError` came from the network, the host or the caller's own functions, and the outcome is unknown. */
  async #ask<T>(call: Call, patience: Patience, sending: Sending): Promise<T> {
    const headers = headersOf(call, await patience.within(Promise.resolve(this.#options.accessToken())));
    const wasSent = sending.mayBeDone;
    sending.mayBeDone = true;
    const response = await this.#exchange(call, headers, patience);
    const answer = parseJson(await patience.within(response.text()));
    if (!response.ok) {
      const error = errorFrom(response, answer, call);
      // A bare status is a proxy's, and says nothing of what the server did.
      if (isProblem(answer) && error.retry !== "same_key") sending.mayBeDone = wasSent;
      throw error;
    }
    return answerOf<T>(call, response, answer);
  }

  async #exchange(call: Call, headers: Record<string, string>, patience: Patience): Promise<Response> {
    const { baseUrl, fetch: send = globalThis.fetch } = this.#options;
    const body = call.body === undefined ? {} : { body: call.body };
    const request = { method: call.method, headers, ...body, signal: patience.signal };
    const sentAt = Date.now();
    const response = await patience.within(send(`${baseUrl.replace(/\/+$/, "")}${call.path}`, request));
    this.#tellTime(response, sentAt, Date.now());
    return response;
  }

  /** Whoever listens is on his own: what he throws is no outcome of the call. */
  #tellTime(response: Response, sentAt: number, receivedAt: number): void {
    const { onServerTime } = this.#options;
    if (onServerTime === undefined) return;
    const tell = (): unknown => {
      const reading = clockReading(response.headers, sentAt, receivedAt);
      return reading === undefined ? undefined : onServerTime(reading);
    };
    void asMpsError("INTERNAL", tell).catch(() => undefined);
  }
}

function checkedOptions(options: MpsClientOptions): MpsClientOptions {
  const given = plainCopy(options, "options");
  const isFunction = (value: unknown): boolean => typeof value === "function";
  check("baseUrl", isBaseUrl(given.baseUrl));
  check("accessToken", isFunction(given.accessToken));
  check("fetch", given.fetch === undefined || isFunction(given.fetch));
  check("onServerTime", given.onServerTime === undefined || isFunction(given.onServerTime));
  check("timeoutMs", isDelay(given.timeoutMs));
  check("retryDelayMs", isDelay(given.retryDelayMs));
  check("retriesMax", given.retriesMax === undefined || (Number.isInteger(given.retriesMax) && given.retriesMax >= 0));
  return given;
}

function check(field: string, isRight: boolean): void {
  if (!isRight) throw malformed(field);
}

/** Without a scheme it would be a page's own folder. */
function isBaseUrl(value: unknown): boolean {
  return typeof value === "string" && /^(https?:\/\/[^/]|\/(?!\/))/i.test(value);
}

function headersOf(call: Call, token: unknown): Record<string, string> {
  // What cannot be sent as a header is nobody's token.
  if (token !== null && !(typeof token === "string" && /^[!-~]+$/.test(token))) throw new Unauthenticated("NOT_AUTHENTICATED", keyOf(call));
  return {
    Accept: "application/json, application/problem+json",
    ...(call.body === undefined ? {} : { "Content-Type": "application/json" }),
    ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
    ...(call.idempotencyKey === undefined ? {} : { "Idempotency-Key": headerOf(call.idempotencyKey) }),
  };
}

/** What is of another type is nobody's answer, a body that was cut short too: the request may have done its work. */
function answerOf<T>(call: Call, response: Response, answer: unknown): T {
  try {
    return parseAnswer(call.answer, answer) as T;
  } catch (cause) {
    throw new Unavailable("UNAVAILABLE", { ...requestIdOf(response), ...keyOf(call), cause });
  }
}

/** The error of an RFC 9457 document, or of the bare status when a proxy in between answered. */
function errorFrom(response: Response, answer: unknown, call: Call): MpsError {
  const status = response.status;
  const details: ErrorDetails = { ...requestIdOf(response, answer), ...keyOf(call) };
  if (!isProblem(answer)) {
    if (status >= 500 || [408, 425, 429].includes(status)) return errorOf("UNAVAILABLE", details);
    return new Unexpected("INTERNAL", { ...details, status, retry: "never" });
  }
  // What is not as it should be is left out there.
  const { code, retry, params, key_cancelled: keyCancelled } = answer as { code: string; key_cancelled?: boolean } & Pick<ErrorDetails, "retry" | "params">;
  return errorOf(code, { ...details, status, retry, params, keyCancelled } as ErrorDetails);
}

function isProblem(answer: unknown): answer is Record<string, unknown> {
  return isRecord(answer) && typeof answer["code"] === "string";
}

function requestIdOf(response: Response, problem?: unknown): { requestId?: string } {
  const requestId = (isRecord(problem) ? problem["instance"] : undefined) ?? response.headers.get("X-Request-Id");
  return typeof requestId === "string" ? { requestId } : {};
}

function keyOf(call: Call): { idempotencyKey?: string } {
  return call.idempotencyKey === undefined ? {} : { idempotencyKey: call.idempotencyKey };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      if (signal !== undefined) reject(reasonOf(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, delayMs);
    if (signal?.aborted === true) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}
