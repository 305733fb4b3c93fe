// Amounts are decimal strings; the little that a page works out itself goes through whole cents, never through floats.

function cents(amount: string): bigint {
  const [whole = "0", fraction = ""] = amount.split(".");
  const size = BigInt(whole.replace("-", "") + fraction.padEnd(2, "0").slice(0, 2));
  return amount.startsWith("-") ? -size : size;
}

/** Whether two amounts are the same, however many zeros are written. */
export const isSame = (one: string, other: string): boolean => cents(one) === cents(other);

const typed = /^\d{0,12}(\.\d{0,2})?$/;

/** What the amount field holds after `next` was typed; what could never become an amount changes nothing. */
export function typeAmount(held: string, next: string): string {
  const plain = next.replace(/^0+(?=\d)/, "").replace(/^\./, "0.");
  return typed.test(plain) ? plain : held;
}
