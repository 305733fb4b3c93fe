// How a drawn code looks: its options, checked so that what is drawn can be scanned.

import { fieldsOf } from "./refusing.js";
import { malformed } from "./thrown.js";

/** Red, green and blue, each 0 to 255. */
export type Colour = readonly [number, number, number];

/** Options with nothing left to ask. */
export interface Look {
  readonly title: string;
  readonly dark: string;
  readonly light: string;
  /** Light modules around the code. */
  readonly quietZone: number;
}

/**
 * What the light colour reflects above the dark one: grade B of ISO/IEC 15415 for the contrast of a symbol. In red light
 * too, which is all that many scanners of shops send out.
 */
const contrastMin = 0.55;

const quietZoneMax = 40;

/** The look of these options. `quietZoneMin` is what the kind of code needs, and its default. */
export function lookOf(options: unknown, quietZoneMin: number): Look {
  const fields = fieldsOf(options, ["title", "dark", "light", "quietZone"]);
  const { title = "Payment code", dark = "#000", light = "#fff" } = fields;
  // What XML cannot hold, not even escaped.
  if (typeof title !== "string" || /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u.test(title)) {
    throw malformed("title");
  }
  const colours = [colourOf(light, "light"), colourOf(dark, "dark")] as const;
  const [over, under] = colours.map(reflectances) as [number[], number[]];
  const isReadable = over.every((share, at) => share - (under[at] ?? share) >= contrastMin);
  if (!isReadable) throw malformed(fields["dark"] === undefined ? "light" : "dark");
  const quietZone = countOf(fields["quietZone"] ?? quietZoneMin, quietZoneMin, quietZoneMax, "quietZone");
  return { title, dark: dark as string, light: light as string, quietZone };
}

/** `#rgb` or `#rrggbb`; anything else is refused: a name has no contrast to compute, and transparency depends on the page. */
export function colourOf(value: unknown, field: string): Colour {
  if (typeof value !== "string" || !/^#(?:[\da-f]{3}){1,2}$/i.test(value)) throw malformed(field);
  const width = value.length > 4 ? 2 : 1;
  const part = (at: number): number => {
    const digits = value.slice(1 + at * width, 1 + (at + 1) * width);
    return Number.parseInt(width === 1 ? digits + digits : digits, 16);
  };
  return [part(0), part(1), part(2)];
}

/** A whole number within bounds. */
export function countOf(value: unknown, min: number, max: number, field: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) throw malformed(field);
  return value;
}

/** The shares of red light and of white light that a colour of sRGB (IEC 61966-2-1) gives back. */
function reflectances(colour: Colour): number[] {
  const linear = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const [red = 0, green = 0, blue = 0] = linear;
  return [red, 0.2126 * red + 0.7152 * green + 0.0722 * blue];
}
