// The digits of a payment code as people read and type them: in fours.
import { limits, parseCodeInput } from "@mps/sdk";

/** ["7012", "3456", …]; the last may be shorter. */
export function inFours(digits: string): string[] {
  return digits.match(/.{1,4}/g) ?? [];
}

/** What is in a field for a code: its digits, or the character that is none. */
export function readDigits(text: string): { digits: string } | { refused: string } {
  const input = parseCodeInput(text);
  if (input.kind === "refused") return { refused: input.character };
  return { digits: input.kind === "code" ? input.code : "" };
}

/** Why what was typed or pasted changes nothing: the character that is no digit, or more digits at once than a code has. */
export type CodeRefusal = { character: string } | { tooMany: number };

/**
 * The digits of a field after `inserted` was typed, scanned or pasted, and how many of them are before the caret; or why they stay what
 * they were. What was typed takes the place of what is behind it, so that a scanner's code replaces another one wherever the caret is.
 */
export function enterDigits(before: string, behind: string, inserted: string): { digits: string; caret: number } | CodeRefusal {
  const [added, kept, rest] = [readDigits(inserted), readDigits(before), readDigits(behind)];
  for (const part of [added, kept, rest]) if ("refused" in part) return { character: part.refused };
  const count = digitsOf(added).length;
  return count > limits.code.digits ? { tooMany: count } : lastDigits(digitsOf(kept), digitsOf(rest));
}

const digitsOf = (part: ReturnType<typeof readDigits>): string => ("digits" in part ? part.digits : "");

function lastDigits(before: string, behind: string): { digits: string; caret: number } {
  const max = limits.code.digits;
  const rest = behind.slice(Math.max(0, before.length + behind.length - max));
  const digits = (before + rest).slice(-max);
  return { digits, caret: digits.length - rest.length };
}
