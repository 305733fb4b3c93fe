// What comes from others: what a caller's getter, a storage or a host throws, and what a caller gives. It may be anything.

import { type ErrorDetails, MpsError, errorOf } from "./errors.js";
import type { ErrorCode } from "./generated/errors.js";

/** What was thrown when it is an `MpsError`, else an error of this code with it as the cause. */
export function mpsErrorOf(thrown: unknown, code: ErrorCode, details: ErrorDetails = {}): MpsError {
  try {
    if (thrown instanceof MpsError) return thrown;
  } catch {
    // A proxy may throw at every question.
  }
  return errorOf(code, { ...details, cause: thrown });
}

/** The work's outcome, with whatever it fails of as `MpsError`; also when it does not even begin. */
export async function asMpsError<T>(code: ErrorCode, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw mpsErrorOf(thrown, code);
  }
}

/** Whether it is of a class, which this runtime may lack. */
export function isOne(value: unknown, kind: unknown): boolean {
  try {
    return typeof kind === "function" && value instanceof kind;
  } catch {
    // A proxy may throw at every question.
    return false;
  }
}

/** An argument is not as documented: MALFORMED_ARGUMENT with its name. */
export function malformed(field: string, cause?: unknown): MpsError {
  return errorOf("MALFORMED_ARGUMENT", { params: { field }, cause });
}

/**
 * A field's value as JSON; none when JSON leaves it out. Throws MALFORMED_ARGUMENT with the `field`, also for numbers and dates that
 * JSON would write as null, which takes a value away.
 */
export function jsonOf(field: string, value: unknown): string | undefined {
  const isLost = (given: unknown): boolean => (typeof given === "number" || given instanceof Date) && !Number.isFinite(Number(given));
  try {
    // A date is a text already when the function is asked about it.
    return JSON.stringify(value, function (this: Record<string, unknown>, name: string, written: unknown) {
      if (isLost(this[name])) throw malformed(field);
      return written;
    });
  } catch (cause) {
    throw mpsErrorOf(cause, "MALFORMED_ARGUMENT", { params: { field } });
  }
}

/** An object's own fields, each read once and nothing of the caller's run later. Throws MALFORMED_ARGUMENT. */
export function plainCopy<T extends object>(value: T, field: string): T {
  if (typeof value !== "object" || value === null) throw malformed(field);
  try {
    if (!Array.isArray(value)) return { ...value };
  } catch (cause) {
    throw malformed(field, cause);
  }
  throw malformed(field);
}
