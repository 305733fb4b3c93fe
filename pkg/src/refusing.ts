// The border to WebAssembly: what may cross, and what becomes of a refusal on its way back.
//
// Only primitives and plain copies cross. A getter or a proxy of the caller's that threw while the module is on the stack would
// leave it there, and the module's code for texts takes nothing but texts.

import { MpsError, Unexpected, errorOf, isErrorCode } from "./errors.js";
import type { ErrorCode } from "./generated/errors.js";
import { checkStarted, isTrap } from "./load.js";
import { mpsErrorOf } from "./thrown.js";

/** Longer than any text of ours. */
const textCharsMax = 4096;
/** More than any list of ours has. */
const listMax = 1000;

/** A call of the module, with whatever it throws as `MpsError`. */
export function refusing<T>(call: () => T): T {
  checkStarted();
  try {
    return call();
  } catch (error) {
    throw refusalOf(error);
  }
}

/** The `MpsError` of anything that a call of the module threw. */
export function refusalOf(error: unknown): MpsError {
  try {
    if (isTrap(error)) return new Unexpected("INTERNAL", { cause: error });
    if (error instanceof Error && !(error instanceof MpsError) && "code" in error && isErrorCode(error.code)) {
      const params = "field" in error && typeof error.field === "string" ? { params: { field: error.field } } : {};
      return errorOf(error.code, { ...params, cause: error });
    }
  } catch {
    // A proxy may throw at every question.
  }
  return mpsErrorOf(error, "MALFORMED_ARGUMENT");
}

/** A text that is one and not endless; anything else is refused with the code of that argument. */
export function textOf(value: unknown, code: ErrorCode = "MALFORMED_ARGUMENT"): string {
  if (typeof value === "string" && value.length <= textCharsMax) return value;
  throw errorOf(code);
}

/** A plain copy of the fields with these names; null and undefined are one without any. */
export function fieldsOf(value: unknown, names: readonly string[]): Record<string, unknown> {
  if (value === null || value === undefined) return {};
  if (typeof value !== "object") throw errorOf("MALFORMED_ARGUMENT");
  const fields = value as Record<string, unknown>;
  return Object.fromEntries(names.map((name) => [name, primitive(fields[name])]));
}

/** Plain copies of a list's objects; null and undefined stay what they are. */
export function listOf(value: unknown, names: readonly string[]): readonly Record<string, unknown>[] | null | undefined {
  if (value === null || value === undefined) return value;
  if (!Array.isArray(value) || value.length > listMax) throw errorOf("MALFORMED_ARGUMENT");
  const items = value as readonly unknown[];
  return Array.from({ length: items.length }, (_, at) => {
    const item = items[at];
    if (item === null || item === undefined) throw errorOf("MALFORMED_ARGUMENT");
    return fieldsOf(item, names);
  });
}

function primitive(value: unknown): unknown {
  switch (typeof value) {
    case "string":
      return textOf(value);
    case "number":
    case "boolean":
    case "undefined":
      return value;
    default:
      if (value === null) return value;
      throw errorOf("MALFORMED_ARGUMENT");
  }
}
