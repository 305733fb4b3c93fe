// What people type or paste into a field for an amount or a code: taken whole or refused whole. Nothing is left out on the way, so that a
// character that is refused never changes what the next ones mean.

import { malformed, mpsErrorOf, plainCopy } from "./thrown.js";

/** Why a text is no amount. */
export type AmountRefusal =
  /** It may go on to be one: a separator without digits behind it, or nothing but a sign. */
  | "unfinished"
  /** Something that is no part of an amount, or digits of two scripts. */
  | "character"
  | "negative"
  /** Thousands or decimals: `1,234` is 1234 in one country and 1.234 in another. */
  | "ambiguous"
  /** Separators where nobody writes them. */
  | "separators"
  /** More than two decimals. */
  | "decimals"
  /** More than twelve digits before the decimal sign. */
  | "too_large";

/** What the text of an amount's field says. */
export type AmountInput =
  | { readonly kind: "empty" }
  /** A decimal string as every call takes it: `1234.5`. Whether it may be a price, `parsePrice` says. */
  | { readonly kind: "amount"; readonly amount: string }
  /** `character`: the one that is no part of an amount. */
  | { readonly kind: "refused"; readonly reason: AmountRefusal; readonly character?: string };

/** What is certain about the text beforehand. */
export interface AmountInputOptions {
  /** The decimal sign, where both the reader and the page write it so; left out, `1,234` and `1.234` are refused as ambiguous. */
  readonly decimalSign?: "." | "," | undefined;
  /** What may stand once before or behind the amount, such as `¥` or `元`; nothing when left out. */
  readonly currencySigns?: readonly string[] | undefined;
}

/** What the text of a code's field says. */
export type CodeInput =
  | { readonly kind: "empty" }
  /** What has been entered so far, without what parts it. */
  | { readonly kind: "code"; readonly code: string }
  | { readonly kind: "refused"; readonly character: string };

const wholeDigitsMax = 12;
const decimalsMax = 2;
/** More than any currency has. */
const signsMax = 100;

/** White space, and the marks of direction that come along with a copied amount. Overrides are not among them: they show other digits. */
const ends = /^[\s\u200b\u200e\u200f\u061c\u2066-\u2069\u202a-\u202c\ufeff]+|[\s\u200b\u200e\u200f\u061c\u2066-\u2069\u202a-\u202c\ufeff]+$/gu;
const wide = /[\uff01-\uff5e\uff61\uffe0\uffe1\uffe5\uffe6]/gu;
const minus = /[-\u2010-\u2015\u2212\ufe63]/u;

/**
 * What an amount's field says, typed or pasted: digits of any script, with separators of thousands and one decimal sign. A comma or a stop
 * before the last one or two digits is the decimal sign wherever it is written; of two kinds of separators the last is; the same one
 * twice parts thousands. Throws MALFORMED_ARGUMENT for what is no text.
 */
export function parseAmountInput(text: string, options: AmountInputOptions = {}): AmountInput {
  const { decimalSign, currencySigns = [] } = plainCopy(options, "options");
  if (decimalSign !== undefined && decimalSign !== "." && decimalSign !== ",") throw malformed("decimalSign");
  const trimmed = trim(text);
  if (trimmed === "") return { kind: "empty" };
  const written = withoutSign(trimmed, textsOf(currencySigns));
  if (written === "") return refused("unfinished");
  const [first = "", last = ""] = [written.at(0), written.at(-1)];
  if (minus.test(first) || minus.test(last) || (first === "(" && last === ")")) return refused("negative");
  const plain = plainNumber(written);
  if (typeof plain !== "string") return plain;
  return amountOf(plain, decimalSign);
}

/**
 * What a code's field says, typed, scanned or pasted: digits of any script, and letters where there may be; spaces and hyphens part it.
 * Throws MALFORMED_ARGUMENT for what is no text.
 */
export function parseCodeInput(text: string, alphabet: "digits" | "digits_and_letters" = "digits"): CodeInput {
  if (alphabet !== "digits" && alphabet !== "digits_and_letters") throw malformed("alphabet");
  let code = "";
  for (const character of trim(text)) {
    const digit = digitOf(character);
    if (digit !== undefined) code += digit.value;
    else if (alphabet === "digits_and_letters" && /[A-Za-z]/.test(character)) code += character.toUpperCase();
    else if (!/\s/u.test(character) && !minus.test(character)) return { kind: "refused", character };
  }
  return code === "" ? { kind: "empty" } : { kind: "code", code };
}

function refused(reason: AmountRefusal, character?: string): AmountInput {
  return character === undefined ? { kind: "refused", reason } : { kind: "refused", reason, character };
}

function trim(text: string): string {
  if (typeof text !== "string") throw malformed("text");
  return foldWide(text).replace(ends, "");
}

/** A plain copy of a list of texts. */
function textsOf(list: readonly string[]): readonly string[] {
  try {
    if (!Array.isArray(list) || list.length > signsMax) throw malformed("currencySigns");
    const copy = Array.from<unknown, unknown>({ length: list.length }, (_, at) => list[at]);
    if (copy.every((sign): sign is string => typeof sign === "string")) return copy;
  } catch (cause) {
    throw mpsErrorOf(cause, "MALFORMED_ARGUMENT", { params: { field: "currencySigns" } });
  }
  throw malformed("currencySigns");
}

/** Of an input method of Chinese or Japanese: `１２．５０`. Nothing else is folded: `1²` is not 12. */
function foldWide(text: string): string {
  return text.replace(wide, (character) => character.normalize("NFKC"));
}

function withoutSign(text: string, signs: readonly string[]): string {
  const longestFirst = signs.map(foldWide).filter((sign) => sign !== "").sort((one, other) => other.length - one.length);
  const before = longestFirst.find((sign) => text.startsWith(sign));
  if (before !== undefined) return text.slice(before.length).replace(ends, "");
  const behind = longestFirst.find((sign) => text.endsWith(sign));
  return behind === undefined ? text : text.slice(0, -behind.length).replace(ends, "");
}

/** The same number in ASCII: its digits, `.`, `,`, and `'` or a space for what parts thousands only. */
function plainNumber(text: string): string | AmountInput {
  let plain = "";
  let zero: number | undefined;
  for (const character of text) {
    const digit = digitOf(character);
    const mark = markOf(character);
    if (digit !== undefined && digit.zero === (zero ??= digit.zero)) plain += digit.value;
    else if (digit === undefined && mark !== undefined) plain += mark;
    else return refused("character", character);
  }
  return plain;
}

function markOf(character: string): string | undefined {
  // The Arabic decimal sign, and the full stop that a Chinese input method writes for a stop.
  if (/[.\u066b\u3002]/u.test(character)) return ".";
  if (character === ",") return ",";
  if (/['\u2019\u066c]/u.test(character)) return "'";
  return /\p{Zs}/u.test(character) ? " " : undefined;
}

/** Unicode keeps the ten digits of a script together and in order. */
function digitOf(character: string): { value: number; zero: number } | undefined {
  if (character >= "0" && character <= "9") return { value: Number(character), zero: 0x30 };
  const isDigit = /^\p{Nd}$/u;
  if (!isDigit.test(character)) return undefined;
  const point = character.codePointAt(0) ?? 0;
  let first = point;
  while (first > 0 && isDigit.test(String.fromCodePoint(first - 1))) first -= 1;
  const value = (point - first) % 10;
  return { value, zero: point - value };
}

function amountOf(plain: string, decimalSign: string | undefined): AmountInput {
  const parts = partsOf(plain, decimalSign);
  if (typeof parts === "string") return refused(parts);
  const { whole, decimals } = parts;
  if (decimals.length > decimalsMax) return refused("decimals");
  const digits = whole.replace(/^0+(?=\d)/, "") || "0";
  if (digits.length > wholeDigitsMax) return refused("too_large");
  return { kind: "amount", amount: decimals === "" ? digits : `${digits}.${decimals}` };
}

/** The digits before and behind the decimal sign, or why they cannot be told. */
function partsOf(plain: string, decimalSign: string | undefined): { whole: string; decimals: string } | AmountRefusal {
  const marks = plain.replace(/\d/g, "");
  const mark = marks.at(-1);
  if (mark === undefined) return { whole: plain, decimals: "" };
  if (plain.endsWith(mark)) return "unfinished";
  const others = new Set(marks.slice(0, -1));
  const at = plain.lastIndexOf(mark);
  const [before, behind] = [plain.slice(0, at), plain.slice(at + 1)];
  const isThousands = mark === "'" || mark === " " || others.has(mark);
  if (!isThousands && marks.length === 1 && /^[1-9]\d{0,2}$/.test(before) && behind.length === 3) {
    // Either of the two readings is written by somebody.
    if (decimalSign === undefined) return "ambiguous";
    return decimalSign === mark ? "decimals" : { whole: before + behind, decimals: "" };
  }
  const [grouped, decimals] = isThousands ? [plain, ""] : [before, behind];
  const whole = ungrouped(grouped);
  return whole === undefined ? "separators" : { whole, decimals };
}

/** Thousands by three, or as in India by two above the first three, with one kind of separator. */
function ungrouped(text: string): string | undefined {
  const marks = new Set(text.replace(/\d/g, ""));
  if (marks.size === 0) return text;
  const isGrouped = /^[1-9]\d{0,2}(?:\D\d{3})+$|^[1-9]\d?(?:\D\d{2})*\D\d{3}$/.test(text);
  return marks.size === 1 && isGrouped ? text.replace(/\D/g, "") : undefined;
}
