// A route's name and input as one request: which field goes into the path, the query or the body.

import { type Routes, routes } from "./generated/routes.js";
import { jsonOf, malformed, plainCopy } from "./thrown.js";

/** One request to a route. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** JSON. */
  readonly body?: string;
  /** Sent with every attempt, which makes a retry safe. */
  readonly idempotencyKey?: string;
  /** Changes nothing, so that a retry is safe without a key. */
  readonly isRead: boolean;
  /** The shape of its answer. */
  readonly answer: string;
}

/** The request of a route, and whether it moves money. Throws MALFORMED_ARGUMENT with the `field` that no request can hold. */
export function callOf(name: keyof Routes, input: object): { readonly call: Call; readonly isKeyed: boolean } {
  if (typeof name !== "string" || !Object.hasOwn(routes, name)) throw malformed("name");
  const [method, template, retry, answer] = routes[name];
  const fields = new Map<string, unknown>(Object.entries(plainCopy(input, "input")).filter(([, value]) => value !== undefined));
  let path = template.replace(/\{(\w+)\}/g, (_, field: string) => {
    const value = fields.get(field);
    fields.delete(field);
    return segmentOf(field, value);
  });
  const isRead = retry === "always";
  const isKeyed = retry === "keyed";
  if (method === "GET" || method === "DELETE") {
    const pairs = [...fields].filter(([, value]) => value !== null).map(([field, value]) => [field, textOf(field, value)]);
    if (pairs.length > 0) path += `?${new URLSearchParams(pairs).toString()}`;
    return { call: { method, path, isRead, answer }, isKeyed };
  }
  return { call: { method, path, body: bodyOf(fields), isRead, answer }, isKeyed };
}

/** The request that cancels the key of another, or tells that it was done. */
export function cancellationOf(call: Call): Call {
  const { merchant_code } = JSON.parse(call.body ?? "{}") as { merchant_code?: unknown };
  return callOf("cancelRequest", { merchant_code, idempotency_key: call.idempotencyKey }).call;
}

/** A path loses segments that are empty or dots: the request would come to another route. */
function segmentOf(field: string, value: unknown): string {
  const text = textOf(field, value);
  if (["", ".", ".."].includes(text)) throw malformed(field);
  try {
    return encodeURIComponent(text);
  } catch (cause) {
    throw malformed(field, cause);
  }
}

function textOf(field: string, value: unknown): string {
  if (typeof value === "string" || typeof value === "boolean") return String(value);
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  throw malformed(field);
}

function bodyOf(fields: Map<string, unknown>): string {
  const texts = [...fields].map(([field, value]) => [field, jsonOf(field, value)] as const);
  return `{${texts.flatMap(([field, text]) => (text === undefined ? [] : [`${JSON.stringify(field)}:${text}`])).join(",")}}`;
}
