// What was answered is of the route's type, or it is nobody's answer: amounts become decimal strings and moments UTC, whoever wrote them.

import { answers } from "./generated/answers.js";

/** Reads a value as what a field is, or throws. */
type Parse = (value: unknown, detail: string) => unknown;

/** Where the doubles between two whole cents end: what a larger number said is lost. */
const exactMax = 2 ** 53 / 1000;

const parsers: Readonly<Record<string, Parse>> = {
  "": (value) => that(typeof value === "string", value),
  "=": (value, text) => that(value === text, value),
  ":": (value, name) => parseAnswer(name, value),
  "!": (value) => that(typeof value === "boolean", value),
  "#": (value) => that(Number.isSafeInteger(value), value),
  "*": (value) => value,
  "@": inUtc,
  $: (value) => decimal(value, 2),
  "%": (value) => decimal(value, 3),
};

/** An answer by the name of its shape. Fields that the shape does not know are a newer server's, and stay. Throws when it is none. */
export function parseAnswer(shape: string, value: unknown): unknown {
  if (shape.endsWith("[]")) return listOf(value, (item) => parseAnswer(shape.slice(0, -2), item));
  let failure: unknown;
  for (const fields of shapeOf(shape).split("|")) {
    try {
      return recordOf(fields, value);
    } catch (why) {
      failure = why;
    }
  }
  throw failure;
}

/** The name of the only field of a shape; none when it has several, or is a list. */
export function soleFieldOf(shape: string): string | undefined {
  const fields = shape.endsWith("[]") ? "" : shapeOf(shape);
  return /^(\w+)[#!]?$/.exec(fields)?.[1];
}

function shapeOf(name: string): string {
  return answers[name] ?? "";
}

function recordOf(fields: string, value: unknown): unknown {
  const record = that(typeof value === "object" && !Array.isArray(value), value) as Record<string, unknown>;
  const parsed = fields.split(" ").map((field) => {
    const [, name = "", kind = "", detail = "", list, optional] = /^(\w+)([$%@#!*:=]?)(\w*)(\[\])?(\?)?$/.exec(field) ?? [];
    const parse = (item: unknown): unknown => parsers[kind]?.(item, detail);
    const given = record[name];
    // An older server may leave out what it does not know.
    if (given == null && optional !== undefined) return [name, null];
    return [name, list === undefined ? parse(given) : listOf(given, parse)];
  });
  return { ...record, ...(Object.fromEntries(parsed) as object) };
}

function listOf(value: unknown, parse: (item: unknown) => unknown): unknown[] {
  if (!Array.isArray(value)) throw new TypeError("no list");
  return value.map((item) => parse(item));
}

function that(isSo: boolean, value: unknown): unknown {
  if (!isSo || value == null) throw new TypeError("no answer of this route");
  return value;
}

/** With so many decimals, from a number or from a text, which may have zeros more or less. */
function decimal(value: unknown, places: number): string {
  const text = typeof value === "number" && Math.abs(value) < exactMax ? value.toFixed(places) : value;
  const parts = new RegExp(`^(-?\\d+)(?:\\.(\\d{1,${places}})0*)?$`).exec(String(text));
  const [, whole = "", fraction = ""] = that(typeof text === "string", parts) as string[];
  that(typeof value === "string" || Number(text) === value, text);
  return `${whole}.${fraction.padEnd(places, "0")}`;
}

/** RFC 3339 with `Z` and no, three or six decimals of the second, from PostgREST's offset and PostgreSQL's microseconds. */
function inUtc(value: unknown): string {
  const parts = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d(?::?\d\d)?)$/.exec(String(value));
  const [, day = "", time = "", fraction = "", zone = ""] = that(typeof value === "string", parts) as string[];
  const offset = /^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone;
  const seconds = new Date(`${day}T${time}${offset}`).toISOString().slice(0, 19);
  const digits = fraction === "" ? "" : `.${fraction.padEnd(fraction.length > 3 ? 6 : 3, "0")}`;
  return `${seconds}${digits}Z`;
}
