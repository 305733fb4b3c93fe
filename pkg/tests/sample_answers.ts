// Answers of every route as a server gives them: each field that the shape has, with some value of its kind.

import { answers } from "../src/generated/answers.ts";
import { routes } from "../src/generated/routes.ts";

const samples: Readonly<Record<string, unknown>> = {
  "": "x",
  "!": true,
  "#": 7,
  "*": null,
  "@": "2026-11-23T01:06:00Z",
  $: "284.05",
  "%": "0.950",
};

/** An answer of this shape, with these fields in place of its own. */
export function sampleAnswer(shape: string, own: object = {}): unknown {
  if (shape.endsWith("[]")) return [sampleAnswer(shape.slice(0, -2), own)];
  const [fields = ""] = (answers[shape] ?? "").split("|");
  const entries = fields.split(" ").map((field) => {
    const [, name = "", kind = "", detail = "", list] = /^(\w+)([$%@#!*:=]?)(\w*)(\[\])?/.exec(field) ?? [];
    const value = kind === ":" ? sampleAnswer(detail) : kind === "=" ? detail : samples[kind];
    // A first request is no replay.
    if (name === "replayed") return [name, false];
    return [name, list === undefined ? value : [value]];
  });
  return { ...(Object.fromEntries(entries) as object), ...own };
}

/** The answer of a route to a request that succeeded. */
export function sampleAnswerTo(method: string, url: string, own: object = {}): unknown {
  const [path = ""] = url.split("?");
  const route = Object.values(routes).find(([verb, template]) => {
    return verb === method && new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`).test(path);
  });
  return sampleAnswer(route?.[3] ?? "", own);
}

/** A charge that was made, with these fields in place of its own. */
export function charged(own: object = {}): object {
  return sampleAnswer("Charge", own) as object;
}
