// Seeded price requests and what the rule of DOMAIN, "Price", makes of them, worked out here with whole numbers, apart from the core.

import type * as Mps from "@mps/sdk";

type Request = Parameters<typeof Mps.quote>[0];
type Quote = ReturnType<typeof Mps.quote>;

/** The house's levels: from so many points, so many thousandths. */
const LEVELS = [
  [10_000, 850],
  [5000, 900],
  [1000, 950],
  [0, 1000],
] as const;

const POINTS_OF_NOTE = [0, 999, 1000, 4999, 5000, 9999, 10_000, Number.MAX_SAFE_INTEGER];

/** Numbers below a bound, the same ones for a seed on every machine (mulberry32). */
export function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const decimal = (value: bigint, scale: number): string => {
  const digits = value.toString().padStart(scale + 1, "0");
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
};

/** A request of any kind of card, at any price. */
export function draw(next: (below: number) => number): Request {
  const pick = <T>(choices: readonly [T, ...T[]]): T => choices[next(choices.length)] ?? choices[0];
  const integer = String(next(10 ** pick([1, 3, 6, 9])));
  // Long amounts too, up to all of fourteen digits.
  const long = next(4) === 0 ? String(next(1000)) : "";
  const fraction = pick(["", `.${String(next(10))}`, `.${String(next(100)).padStart(2, "0")}`]);
  const discount = (): string => decimal(BigInt(next(1001)), 3);
  const cards = Array.from({ length: pick([0, 0, 0, 1, 3]) }, (_, at) => ({
    cardNo: `COR0000000${String(9 - at)}`,
    discount: pick([discount(), "0.950", "0.900"]),
  }));
  return {
    cardType: pick(["standard", "prepaid", "corporate", "voucher"]),
    rawAmount: `${long}${integer}${fraction}`,
    points: pick([next(20_000), next(2 ** 31), POINTS_OF_NOTE[next(POINTS_OF_NOTE.length)] ?? 0]),
    fixedDiscount: pick([null, discount(), "0"]),
    ...(cards.length === 0 ? {} : { corporateDiscounts: cards }),
  };
}

const thousandths = (text: string): number => Math.round(Number(text) * 1000);

/** The multiplier, its source, and the corporate card it is of. */
function discountOf(request: Request): [number, Quote["discountSource"], string?] {
  const points = request.points ?? 0;
  const level = LEVELS.find(([from]) => points >= from)?.[1] ?? 1000;
  const fixed = typeof request.fixedDiscount === "string" ? thousandths(request.fixedDiscount) : undefined;
  switch (request.cardType) {
    case "prepaid":
      return fixed === undefined ? [level, "level"] : [fixed, "card"];
    case "corporate":
      return fixed === undefined ? [1000, "none"] : [fixed, "card"];
    case "voucher":
      return [1000, "none"];
    case "standard": {
      const cards = (request.corporateDiscounts ?? []).map((card) => [thousandths(card.discount), card.cardNo] as const);
      const [best] = cards.sort((one, other) => one[0] - other[0] || (one[1] < other[1] ? -1 : 1));
      return best !== undefined && best[0] < level ? [best[0], "corporate", best[1]] : [level, "level"];
    }
  }
}

function expected(request: Request): Quote | string {
  const [integer = "", fraction = ""] = request.rawAmount.split(".");
  const raw = BigInt(integer + fraction.padEnd(2, "0"));
  if (raw === 0n) return "INVALID_PRICE";
  const [discount, discountSource, cardNo] = discountOf(request);
  const final = (raw * BigInt(discount) + 500n) / 1000n;
  const earns = (request.cardType === "standard" || request.cardType === "prepaid") && final > 0n;
  return {
    rawAmount: decimal(raw, 2),
    discount: decimal(BigInt(discount), 3),
    discountSource,
    ...(cardNo === undefined ? {} : { discountCardNo: cardNo }),
    finalAmount: decimal(final, 2),
    pointsEarned: earns ? Number(raw / 100n) : 0,
  };
}

/** A value as text, whatever the order of its fields; fields that are undefined are left out. */
const shown = (value: Quote | string): string =>
  typeof value === "string" ? value : JSON.stringify(Object.entries({ ...value }).filter(([, field]) => field !== undefined).sort());

function answer(mps: typeof Mps, request: Request): Quote | string {
  try {
    return mps.quote(request);
  } catch (error) {
    return error instanceof mps.MpsError ? error.code : String(error);
  }
}

/** How many cases were compared, and the first few on which the package and the rule differ; the good ones also as one batch. */
export function compare(mps: typeof Mps, seed: number, count: number): { compared: number; differences: string[] } {
  const next = numbers(seed);
  const differences: string[] = [];
  const good: Request[] = [];
  const goodAnswers: string[] = [];
  for (let compared = 0; compared < count; compared += 1) {
    const request = draw(next);
    const [found, wanted] = [shown(answer(mps, request)), shown(expected(request))];
    if (found !== wanted) differences.push(`${JSON.stringify(request)}: ${found}, by the rule ${wanted}`);
    if (request.corporateDiscounts !== undefined || wanted === "INVALID_PRICE") continue;
    good.push(request);
    goodAnswers.push(wanted);
  }
  for (const [at, quote] of mps.quoteBatch(good).entries()) {
    if (shown(quote) !== goodAnswers[at]) differences.push(`in a batch ${JSON.stringify(good[at])}: ${shown(quote)}`);
  }
  return { compared: count, differences: differences.slice(0, 5) };
}
