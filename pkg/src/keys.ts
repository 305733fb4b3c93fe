// Idempotency keys: generated, and checked before they become a header or an argument.

import { errorOf } from "./errors.js";
import { limits } from "./generated/limits.js";

/** A key that nobody else has: a UUID of version 4. Throws NOT_CONFIGURED where there are no random bytes. */
export function freshKey(): string {
  const { crypto } = globalThis as { crypto?: Crypto };
  if (crypto === undefined) throw errorOf("NOT_CONFIGURED", { params: { what: "crypto" } });
  // Pages without TLS, and old WebViews, have random bytes but no `randomUUID`.
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const text = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Whether it is a key at all: 1 to 255 printable ASCII characters. A header loses the spaces around it, so a key has none there. */
export function isKey(value: unknown): value is string {
  const isText = typeof value === "string" && value.length <= limits.idempotency.keyCharsMax;
  return isText && /^[!-~](?:[ -~]*[!-~])?$/.test(value);
}

/** A key as its header: in quotes where it has a comma, which without them would be two keys (RFC 9651, 3.3.3). */
export function headerOf(key: string): string {
  return key.includes(",") && !key.startsWith('"') ? `"${key.replace(/["\\]/g, "\\$&")}"` : key;
}

/** The caller's own key; a fresh one when there is none. Throws IDEMPOTENCY_KEY_INVALID. */
export function keyOrFresh(given: string | undefined): string {
  if (given === undefined) return freshKey();
  if (!isKey(given)) throw errorOf("IDEMPOTENCY_KEY_INVALID");
  return given;
}
