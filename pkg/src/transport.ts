// One request to the edge: the token, the key, the time allowed, the retries that are safe, and the answer or its error.

import { type ErrorDetails, MpsError, type Retry, Unavailable, Unexpected, errorOf } from "./errors.js";
import type { KeyValueStorage } from "./storage.js";

/** How the client reaches the edge. */
export interface MpsClientOptions {
  /** The edge's address: "https://pay.example.com". */
  readonly baseUrl: string;
  /** Gives the access token of the moment, or null when nobody is signed in; asked before every attempt. */
  readonly accessToken: () => string | null | Promise<string | null>;
  /** Milliseconds one attempt may take; 15000 when left out. */
  readonly timeoutMs?: number | undefined;
  /** How often a request is sent again when that is safe: 0 to 3, 3 when left out. */
  readonly retriesMax?: number;
  /** Milliseconds before the first retry, doubled for each further one, with full jitter; 250 when left out. */
  readonly retryDelayMs?: number;
  readonly fetch?: typeof fetch;
  /** Where the keys of intents are kept; the page's memory when left out. */
  readonly storage?: KeyValueStorage | undefined;
}

/** What a caller may say about one call. */
export interface CallOptions {
  /** Ends the call; it then throws the signal's reason. The outcome of a charge is then unknown. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds one attempt may take. */
  readonly timeoutMs?: number | undefined;
}

/** One call of a route. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  /** Sent with every attempt, which makes a retry safe. */
  readonly idempotencyKey?: string;
  /** Changes nothing, so that a retry is safe without a key. */
  readonly isRead: boolean;
}

const RETRIES_MAX = 3;

export class Transport {
  readonly #options: MpsClientOptions;

  constructor(options: MpsClientOptions) {
    this.#options = options;
  }

  /** The answer's body. Retries only what is safe: reads and keyed calls, when the outcome is unknown. */
  async send<T>(call: Call, options: CallOptions): Promise<T> {
    const retriesMax = Math.min(this.#options.retriesMax ?? RETRIES_MAX, RETRIES_MAX);
    const isSafe = call.isRead || call.idempotencyKey !== undefined;
    for (let retries = 0; ; retries += 1) {
      try {
        return await this.#attempt<T>(call, options);
      } catch (error) {
        const mayRetry = error instanceof MpsError && error.retry === "same_key" && isSafe && retries < retriesMax;
        if (!mayRetry) throw error;
        const delayMs = (this.#options.retryDelayMs ?? 250) * 2 ** retries * Math.random();
        await pause(delayMs, options.signal);
      }
    }
  }

  async #attempt<T>(call: Call, options: CallOptions): Promise<T> {
    const { baseUrl, accessToken, fetch: send = globalThis.fetch } = this.#options;
    const timeout = AbortSignal.timeout(options.timeoutMs ?? this.#options.timeoutMs ?? 15_000);
    const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
    options.signal?.throwIfAborted();
    const headers = headersOf(call, await accessToken());
    const body = call.body === undefined ? {} : { body: JSON.stringify(call.body) };
    let response: Response;
    let text: string;
    try {
      response = await send(`${baseUrl.replace(/\/+$/, "")}${call.path}`, { method: call.method, headers, ...body, signal });
      text = await response.text();
    } catch (cause) {
      options.signal?.throwIfAborted();
      throw new Unavailable("UNAVAILABLE", { cause, ...keyOf(call) });
    }
    const answer = parseJson(text);
    if (!response.ok) throw errorFrom(response, answer, call);
    // A body that was cut short: the request may have done its work.
    if (answer === undefined) throw new Unavailable("UNAVAILABLE", { ...requestIdOf(response), ...keyOf(call) });
    return answer as T;
  }
}

function headersOf(call: Call, token: string | null): Record<string, string> {
  return {
    Accept: "application/json, application/problem+json",
    ...(call.body === undefined ? {} : { "Content-Type": "application/json" }),
    ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
    ...(call.idempotencyKey === undefined ? {} : { "Idempotency-Key": call.idempotencyKey }),
  };
}

/** The error of an RFC 9457 document, or of the bare status when a proxy in between answered. */
function errorFrom(response: Response, answer: unknown, call: Call): MpsError {
  const status = response.status;
  const problem = isRecord(answer) ? answer : {};
  const details: ErrorDetails = { ...requestIdOf(response, problem), ...keyOf(call) };
  if (typeof problem["code"] !== "string") {
    if ([429, 502, 503, 504].includes(status)) return errorOf("UNAVAILABLE", details);
    return new Unexpected("INTERNAL", { ...details, status, retry: status < 500 ? "never" : "same_key" });
  }
  const retry = isRetry(problem["retry"]) ? { retry: problem["retry"] } : {};
  const params = isRecord(problem["params"]) ? { params: problem["params"] } : {};
  return errorOf(problem["code"], { ...details, status, ...retry, ...params });
}

function requestIdOf(response: Response, problem: Record<string, unknown> = {}): { requestId?: string } {
  const requestId = problem["instance"] ?? response.headers.get("X-Request-Id");
  return typeof requestId === "string" ? { requestId } : {};
}

function keyOf(call: Call): { idempotencyKey?: string } {
  return call.idempotencyKey === undefined ? {} : { idempotencyKey: call.idempotencyKey };
}

function isRetry(value: unknown): value is Retry {
  return value === "never" || value === "after_fix" || value === "same_key";
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
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, delayMs);
    if (signal?.aborted === true) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}
