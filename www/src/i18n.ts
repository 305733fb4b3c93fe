// Which language the pages speak, and how they write numbers and dates. The texts live in i18n/, one file a language.
import type { ErrorCode } from "@mps/sdk";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { en } from "./i18n/en.ts";
import { zhHant } from "./i18n/zh-Hant.ts";

/** What happened, and what to do next. */
export interface ErrorText {
  what: string;
  next: string;
}
export type ErrorTexts = Record<ErrorCode, ErrorText>;

type Same<T> = T extends string
  ? string
  : T extends (...args: infer A) => string
    ? (...args: A) => string
    : { [K in keyof T]: Same<T[K]> };
export type Texts = Same<typeof zhHant>;

/** In the order of the switch; the first is the default. */
export const languages = { "zh-Hant": zhHant, en } as const;
export type Language = keyof typeof languages;

const keptAt = "mps.language";

export function keptLanguage(): Language {
  const kept = localStorage.getItem(keptAt);
  return kept !== null && kept in languages ? (kept as Language) : "zh-Hant";
}

export function keepLanguage(language: Language): void {
  localStorage.setItem(keptAt, language);
}

export const LanguageContext = createContext<Language>("zh-Hant");

export const useLanguage = (): Language => useContext(LanguageContext);
export const useTexts = (): Texts => languages[useLanguage()];

const toTheSecond = {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
} as const;

/** How the chosen language writes numbers and dates. */
export const useLocale = (): string => (useLanguage() === "en" ? "en-GB" : "zh-Hant-TW");

/** The decimal sign of a locale, where it is a stop or a comma. */
export function decimalSignOf(locale: string): "." | "," | undefined {
  const sign = new Intl.NumberFormat(locale).formatToParts(0.5).find(({ type }) => type === "decimal")?.value;
  return sign === "." || sign === "," ? sign : undefined;
}

/** Writers of numbers and dates. Amounts go in as decimal strings and never become floats: Intl reads the text. */
export function useFormat() {
  const locale = useLocale();
  return {
    money: (amount: string) =>
      new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(amount as `${number}`),
    whole: (count: number) => new Intl.NumberFormat(locale).format(count),
    date: (instant: string) => new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(new Date(instant)),
    time: (instant: string) => new Intl.DateTimeFormat(locale, toTheSecond).format(new Date(instant)),
    /** A multiplier such as "0.950": «9.5 折» in Chinese, "5% off" in English; undefined when it takes nothing off. */
    discount: (multiplier: string) => writeDiscount(locale, multiplier),
  };
}

function writeDiscount(locale: string, multiplier: string): string | undefined {
  const [whole = "0", fraction = ""] = multiplier.split(".");
  const permille = Number(whole) * 1000 + Number(fraction.padEnd(3, "0").slice(0, 3));
  if (permille >= 1000) return undefined;
  if (locale !== "en-GB") return `${permille / 100} 折`;
  return `${(1000 - permille) / 10}% off`;
}
