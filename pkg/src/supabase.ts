// The same routes over an existing supabase-js client, without the edge: the database's functions, typed, with the edge's answers
// and the edge's errors. No dependency: whatever has supabase-js's `rpc` will do.

import { type ErrorDetails, MpsError, errorOf, isErrorCode } from "./errors.js";
import type { Routes } from "./generated/routes.js";
import { amounts, moments, multipliers, params as paramsOfCodes, rpcs } from "./generated/rpcs.js";
import { codes, type Meaning, phrases } from "./generated/upstream_codes.js";
import { keyOrFresh } from "./keys.js";
import { throwIfAborted, unlessAborted } from "./signals.js";
import { isOne, jsonOf, malformed, plainCopy } from "./thrown.js";

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
  /** Names a request that moves money for ever; a fresh random one when left out. */
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
      const [rpc, isKeyed, sole, nullables] = rpcs[name] as RpcEntry;
      const { signal, idempotencyKey: given } = plainCopy(options, "options");
      if (signal !== undefined && !isOne(signal, globalThis.AbortSignal)) throw malformed("signal");
      // Whoever gives one believes that it protects him.
      if (!isKeyed && given !== undefined) throw malformed("idempotencyKey");
      const args = argumentsOf(plainCopy(input, "input"), nullables);
      const details: ErrorDetails = isKeyed ? { idempotencyKey: keyOrFresh(given) } : {};
      if (isKeyed) args["p_idempotency_key"] = details.idempotencyKey;
      const answer = await send(() => supabase.rpc(rpc, args), signal, details);
      // A wrong password is counted, so the function does not raise on it.
      if (name === "bindCard" && answer === false) throw errorOf("INVALID_BINDING_PASSWORD");
      return replyOf(answer, sole, details) as Routes[typeof name]["output"];
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

/** Function, whether it moves money, the only field of its reply or "" for rows of several or "[]" for a list, what may be null. */
type RpcEntry = readonly [rpc: string, isKeyed: boolean, sole: string, nullables: readonly string[]];

/** The arguments under their SQL names. Null means left out, but where the function takes it for a value. */
function argumentsOf(input: object, nullables: readonly string[]): Record<string, unknown> {
  const given = Object.entries(input).filter(([name, value]) => value !== undefined && (value !== null || nullables.includes(name)));
  // supabase-js writes the JSON; what that would lose is refused before.
  for (const [name, value] of given) jsonOf(name, value);
  return Object.fromEntries(given.map(([name, value]) => [`p_${name}`, value as unknown]));
}

async function send(start: () => RpcCall, signal: AbortSignal | undefined, details: ErrorDetails): Promise<unknown> {
  throwIfAborted(signal);
  let answer: RpcAnswer;
  try {
    const call = start();
    const sent = signal === undefined || call.abortSignal === undefined ? call : call.abortSignal(signal);
    answer = { ...(await unlessAborted(sent, signal)) };
  } catch (cause) {
    throwIfAborted(signal);
    throw errorOf("UNAVAILABLE", { ...details, cause });
  }
  if (answer.error === null) return answer.data;
  throwIfAborted(signal);
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
  if (typeof code !== "string" || code === "") {
    return status === 0 || status === 408 || status === 425 || status === 429 || status >= 500 ? unavailable() : unexpected();
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

/** The edge's form of a reply: a list, one row, or a scalar under its name. */
function replyOf(answer: unknown, sole: string, details: ErrorDetails): unknown {
  if (sole === "[]") {
    if (!Array.isArray(answer)) throw errorOf("INTERNAL", details);
    return answer.map(plain);
  }
  if (Array.isArray(answer)) {
    if (answer.length !== 1) throw errorOf("INTERNAL", details);
    return plain(answer[0]);
  }
  if (sole !== "") return { [sole]: answer };
  throw errorOf("INTERNAL", details);
}

/** A row with its amounts as decimal strings and its times in UTC, as everywhere in this package. */
function plain(row: unknown): unknown {
  if (typeof row !== "object" || row === null) throw errorOf("INTERNAL");
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plainField(name, value)]));
}

function plainField(name: string, value: unknown): unknown {
  // A numeric(14,2) or (4,3) and its double print alike.
  if (typeof value === "number" && amounts.includes(name)) return value.toFixed(2);
  if (typeof value === "number" && multipliers.includes(name)) return value.toFixed(3);
  if (typeof value === "string" && moments.includes(name)) return inUtc(value);
  return value;
}

/** RFC 3339 with `Z` and no, three or six decimals of the second, from PostgREST's offset and PostgreSQL's microseconds. */
function inUtc(text: string): string {
  const parts = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d(?::?\d\d)?)$/.exec(text);
  if (parts === null) return text;
  const [, day = "", time = "", fraction = "", zone = ""] = parts;
  const offset = /^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone;
  const moment = new Date(`${day}T${time}${offset}`);
  if (Number.isNaN(moment.getTime())) return text;
  const seconds = moment.toISOString().slice(0, 19);
  const digits = fraction === "" ? "" : `.${fraction.padEnd(fraction.length > 3 ? 6 : 3, "0")}`;
  return `${seconds}${digits}Z`;
}
