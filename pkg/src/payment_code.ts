// Whether a text is a payment code, for where no module is loaded. The rule is crates/core's; spec/vectors holds both to it.

/** 24 digits that begin with 70, 71 or 72; the last is the check digit of Luhn (ISO/IEC 7812-1, annex B). */
export function isPaymentCode(text: string): boolean {
  if (!/^7[0-2]\d{22}$/.test(text)) return false;
  let sum = 0;
  // Every second digit from the right counts twice; of two digits, their sum.
  for (const [place, digit] of [...text].reverse().entries()) {
    const weighed = Number(digit) * (1 + (place % 2));
    sum += weighed > 9 ? weighed - 9 : weighed;
  }
  return sum % 10 === 0;
}
