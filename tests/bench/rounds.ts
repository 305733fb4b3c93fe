// Alternating rounds: every contestant runs once a round, in a new order each time, so that a busy moment of the machine meets all.

/** So long one contestant runs in a round. */
const ROUND_MILLISECONDS = 120;

/** Answers something, so that no compiler can leave the work out. */
export type Contestant = () => unknown;

export interface Rates {
  readonly name: string;
  /** Runs a second, one number a round. */
  readonly rates: number[];
}

let sink: unknown;

function rate(run: Contestant): number {
  const start = performance.now();
  let runs = 0;
  let elapsed = 0;
  while (elapsed < ROUND_MILLISECONDS) {
    for (let again = 0; again < 50; again += 1) sink = run();
    runs += 50;
    elapsed = performance.now() - start;
  }
  return (runs * 1000) / elapsed;
}

/** The first round warms up and is not told. */
export function alternate(contestants: Readonly<Record<string, Contestant>>, rounds: number): Rates[] {
  const entries = Object.entries(contestants).map(([name, run]) => ({ name, run, rates: [] as number[] }));
  for (let round = 0; round <= rounds; round += 1) {
    for (let at = 0; at < entries.length; at += 1) {
      const entry = entries[(at + round) % entries.length];
      if (entry === undefined) continue;
      const found = rate(entry.run);
      if (round > 0) entry.rates.push(found);
    }
  }
  if (sink === undefined) throw new Error("a contestant answered nothing");
  return entries;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const [low = NaN, high = NaN] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}

const whole = (number: number): string => String(Math.round(number));

/** Ours against the quickest of the others, a line of a table. */
export function against(what: string, all: readonly Rates[], goal: string): string {
  const [ours, ...others] = all;
  const quickest = others.sort((one, other) => median(other.rates) - median(one.rates))[0];
  if (ours === undefined || quickest === undefined) throw new Error(`${what}: nothing to compare`);
  const ratios = ours.rates.map((rate, round) => rate / (quickest.rates[round] ?? NaN));
  const range = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
  const rest = others.slice(1).map((other) => `${other.name} ${whole(median(other.rates))}`);
  const told = rest.length === 0 ? "" : ` (${rest.join(", ")})`;
  return `| ${what} | ${whole(median(ours.rates))}/s | ${quickest.name} ${whole(median(quickest.rates))}/s${told} | **${median(ratios).toFixed(2)} ×** (${range}) | ${goal} |`;
}
