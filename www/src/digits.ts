// The digits of a payment code as people read and type them: in fours.

/** ["7012", "3456", …]; the last may be shorter. */
export function inFours(digits: string): string[] {
  return digits.match(/.{1,4}/g) ?? [];
}

/** The digits of whatever was typed or pasted, at most `max`; full-width digits of an input method count too. */
export function digitsOf(text: string, max: number): string {
  return text.normalize("NFKC").replace(/\D/g, "").slice(0, max);
}
