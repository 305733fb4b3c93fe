// The digits of a payment code as people read and type them: in fours.

/** ["7012", "3456", …]; the last may be shorter. */
export function inFours(digits: string): string[] {
  return digits.match(/.{1,4}/g) ?? [];
}

/** The digits of whatever was typed or pasted; full-width digits of an input method count too. */
export function digitsOf(text: string): string {
  return text.normalize("NFKC").replace(/\D/g, "");
}

/**
 * The last `max` of the digits before and behind the caret, and how many of them are before it. What was typed takes the place of what
 * is behind it, so that a scanner's code replaces another one wherever the caret is.
 */
export function lastDigits(before: string, behind: string, max: number): { digits: string; caret: number } {
  const over = Math.max(0, before.length + behind.length - max);
  const rest = behind.slice(over);
  const digits = (before + rest).slice(-max);
  return { digits, caret: digits.length - rest.length };
}
