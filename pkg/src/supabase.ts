// The same routes over an existing supabase-js client, without the edge: the database's functions, typed, with the edge's answers
// and the edge's errors. No dependency: whatever has supabase-js's `rpc` will do.

import { parseAnswer, soleFieldOf } from "./answers.js";
import { type ErrorDetails, MpsError, errorOf, isErrorCode } from "./errors.js";
import type { Routes } from "./generated/routes.js";
import { params as paramsOfCodes, rpcs } from "./generated/rpcs.js";
import { codes, type Meaning, phrases } from "./generated/upstream_codes.js";
import { keyOrFresh } from "./keys.js";
import { type WaitOptions, checkedWait, waitFor } from "./patience.js";
import { detailsOf, settleRefusal } from "./settling.js";
import { throwIfAborted } from "./signals.js";
import { jsonOf, malformed, plainCopy } from "./thrown.js";

export * from "./errors.js";
export { type ErrorCode, errorCatalogue } from "./generated/errors.js";
export type { Routes } from "./generated/routes.js";
/** What every call answers, by the names of openapi.json: `answers.CardDetail`. */
export type * as answers from "./generated/routes.js";

/** What one call of supabase-js answers. */
export interface RpcAnswer {
  readonly data: unknown;
  readonly error: { readonly code?: string; readonly message: string; readonly details?: unknown } | null;
  readonly status: number;
}

/** A call of supabase-js that is under way. */
export interface RpcCall extends PromiseLike<RpcAnswer> {
  /** Ends it with the signal. */
  abortSignal?(signal: AbortSignal): PromiseLike<RpcAnswer>;
}

/** The part of a supabase-js client that is used. */
export interface SupabaseLike {
  /** Calls a function of the database. */
  rpc(name: string, args: Record<string, unknown>): RpcCall;
}

/** What a caller may say about one call. */
export interface RpcOptions {
  /** Ends the call; it then throws the signal's reason. The outcome of a charge is then unknown. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds it may take, a token's renewal included; 15000 when left out. */
  readonly timeoutMs?: number | undefined;
  /**
   * Names a request that moves money for ever; a fresh random one when left out. One that is given counts as sent before, so that a refusal
   * comes with the key cancelled (`keyCancelled`).
   */
  readonly idempotencyKey?: string | undefined;
}

/** The database's functions under the names of the edge's routes, but for those that want the edge: payment providers. Every method throws an `MpsError`, or the signal's reason. */
export interface MpsRpc {
  /** A route by its name in openapi.json, with the fields of its path, query or body, past the edge. */
  call<N extends keyof typeof rpcs>(name: N, input: Routes[N]["input"], options?: RpcOptions): Promise<Routes[N]["output"]>;
}

/** Typed calls over a supabase-js client, as the user who is signed in there. Throws MALFORMED_ARGUMENT when it is none. */
export function mpsRpc(supabase: SupabaseLike): MpsRpc {
  if (!isSupabase(supabase)) throw malformed("supabase");
  return {
    async call(name, input, options = {}) {
      if (typeof name !== "string" || !Object.hasOwn(rpcs, name)) throw malformed("name");
      const [rpc, repeat, shape, nullables] = rpcs[name] as RpcEntry;
      const isKeyed = repeat === "keyed";
      const { signal, timeoutMs, idempotencyKey: given } = checkedWait(options);
      // Whoever gives one believes that it protects him.
      if (!isKeyed && given !== undefined) throw malformed("idempotencyKey");
      const args = argumentsOf(plainCopy(input, "input"), nullables);
      const details: ErrorDetails = isKeyed ? { idempotencyKey: keyOrFresh(given) } : {};
      if (isKeyed) args["p_idempotency_key"] = details.idempotencyKey;
      const ask = async (): Promise<Routes[typeof name]["output"]> => {
        const answer = await send(() => supabase.rpc(rpc, args), { signal, timeoutMs }, details);
        // A wrong password is counted, so the function does not raise on it.
        if (name === "bindCard" && answer === false) throw errorOf("INVALID_BINDING_PASSWORD");
        return replyOf(answer, shape, details) as Routes[typeof name]["output"];
      };
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof MpsError)) throw error;
        if (error.retry === "same_key" && repeat === "never") throw errorOf(error.code, { ...detailsOf(error), retry: "check_first" });
        if (given === undefined || error.retry === "same_key") throw error;
        const { merchant_code } = input as { merchant_code?: string };
        const cancellation = { merchant_code, idempotency_key: given };
        return await settleRefusal(error, () => this.call("cancelRequest", cancellation, { signal, timeoutMs }), ask, signal);
      }
    },
  };
}

function isSupabase(value: unknown): value is SupabaseLike {
  try {
    return typeof (value as Partial<SupabaseLike> | null | undefined)?.rpc === "function";
  } catch {
    return false;
  }
}

/** Function, when it may be sent again, the shape of its answer, what may be null. */
type RpcEntry = readonly [rpc: string, repeat: "always" | "keyed" | "never", shape: string, nullables: readonly string[]];

/** The arguments under their SQL names. Null means left out, but where the function takes it for a value. */
function argumentsOf(input: object, nullables: readonly string[]): Record<string, unknown> {
  const given = Object.entries(input).filter(([name, value]) => value !== undefined && (value !== null || nullables.includes(name)));
  // supabase-js writes the JSON; what that would lose is refused before.
  for (const [name, value] of given) jsonOf(name, value);
  return Object.fromEntries(given.map(([name, value]) => [`p_${name}`, value as unknown]));
}

async function send(start: () => RpcCall, options: WaitOptions, details: ErrorDetails): Promise<unknown> {
  const answer = await waitFor(options, async (patience): Promise<RpcAnswer> => {
    const call = start();
    return { ...(await (call.abortSignal === undefined ? call : call.abortSignal(patience.signal))) };
  }, details);
  if (answer.error === null) return answer.data;
  throwIfAborted(options.signal);
  throw refusalOf(answer, details);
}

/** What an error of PostgREST means: who must act. */
function meaningOf(code: string, message: string, status: number): Meaning {
  // Supabase Lite answers most SQLSTATEs as `SUP` with PostgreSQL's English message: only that tells them apart.
  if (code === "SUP") return phrases.find(([text]) => message.includes(text))?.[1] ?? "bug";
  const fits = ([prefix]: readonly [string, Meaning]): boolean => code.startsWith(prefix) && (code.length === 5 || prefix.startsWith("PGRST"));
  return codes.find(fits)?.[1] ?? (status >= 500 ? "unavailable" : "bug");
}

/** The edge's error for PostgREST's, by the same rules. */
function refusalOf({ error, status }: RpcAnswer, details: ErrorDetails): MpsError {
  const { code, message } = { code: "", message: "", ...error };
  const unavailable = (): MpsError => errorOf("UNAVAILABLE", details);
  const unexpected = (): MpsError => errorOf("INTERNAL", { ...details, cause: error });
  // No answer, or half of one. What supabase-js says of it is its own: "20" for aborted, "23" for too late, the half as the message.
  if (!(status >= 300)) return unavailable();
  if (typeof code !== "string" || code === "") {
    return status === 408 || status === 425 || status === 429 || status >= 500 ? unavailable() : unexpected();
  }
  if (code.length === 5 && code.startsWith("PT")) {
    return isErrorCode(message) ? errorOf(message, { ...details, params: paramsOf(message, error?.details) }) : unexpected();
  }
  switch (meaningOf(code, message, status)) {
    case "contention":
    case "unavailable":
      return unavailable();
    case "malformed":
      return errorOf("MALFORMED_ARGUMENT", details);
    case "signed_out":
      return errorOf("NOT_AUTHENTICATED", details);
    case "denied":
      return errorOf(status === 401 ? "NOT_AUTHENTICATED" : "PERMISSION_DENIED", details);
    case "drift":
    case "bug":
      return unexpected();
  }
}

/** The params that the catalogue has for the code, and no others. */
function paramsOf(code: string, details: unknown): Record<string, unknown> {
  const params = typeof details === "string" ? parsed(details) : details;
  if (typeof params !== "object" || params === null) return {};
  const known = paramsOfCodes[code] ?? [];
  return Object.fromEntries(Object.entries(params).filter(([name]) => known.includes(name)));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The edge's form of an answer: a list, one row, or a scalar under its name. What is none of them leaves the outcome unknown. */
function replyOf(answer: unknown, shape: string, details: ErrorDetails): unknown {
  try {
    const sole = soleFieldOf(shape);
    if (shape.endsWith("[]")) return parseAnswer(shape, answer);
    if (sole !== undefined && !Array.isArray(answer)) return parseAnswer(shape, { [sole]: answer });
    const [row, ...others] = answer as readonly unknown[];
    return parseAnswer(shape, others.length === 0 ? row : undefined);
  } catch (cause) {
    throw errorOf("UNAVAILABLE", { ...details, cause });
  }
}
