// Amounts are decimal strings; the little that a page works out itself goes through whole cents, never through floats.

function cents(amount: string): bigint {
  const [whole = "0", fraction = ""] = amount.split(".");
  const size = BigInt(whole.replace("-", "") + fraction.padEnd(2, "0").slice(0, 2));
  return amount.startsWith("-") ? -size : size;
}

/** `later` less `earlier`: "-284.05" when 284.05 was taken. */
export function change(earlier: string, later: string): string {
  const difference = cents(later) - cents(earlier);
  const digits = String(difference < 0n ? -difference : difference).padStart(3, "0");
  return `${difference < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

const typed = /^\d{0,12}(\.\d{0,2})?$/;

/** What the amount field holds after `next` was typed; what could never become an amount changes nothing. */
export function typeAmount(held: string, next: string): string {
  const plain = next.replace(/^0+(?=\d)/, "").replace(/^\./, "0.");
  return typed.test(plain) ? plain : held;
}
