// The run-time configuration: ./config.json next to the built pages, checked before anything is sent anywhere.

export interface DemoLogin {
  label: string;
  email: string;
  password: string;
}

export interface Config {
  // Absolute, without a slash at the end.
  edgeUrl: string;
  supabaseUrl: string;
  supabasePublishableKey: string;
  /** What may stand before or behind a typed amount; the signs of CNY when left out. */
  currencySigns: string[];
  /** One-tap log-ins of a demonstration; absent in production. */
  demoLogins: DemoLogin[];
}

export class ConfigProblem extends Error {
  /** The name of the wrong field; undefined when there is no file. */
  readonly field: string | undefined;
  constructor(field?: string) {
    super(field === undefined ? "config.json is missing" : `config.json: ${field}`);
    this.field = field;
  }
}

export async function loadConfig(): Promise<Config> {
  const reply = await fetch("./config.json", { cache: "no-store" }).catch(() => undefined);
  if (reply === undefined || !reply.ok) throw new ConfigProblem();
  // Static servers with a fallback page answer HTML here.
  const body: unknown = await reply.json().catch(() => undefined);
  if (typeof body !== "object" || body === null) throw new ConfigProblem("JSON");
  return parseConfig(body as Record<string, unknown>);
}

function parseConfig(body: Record<string, unknown>): Config {
  return {
    edgeUrl: parseAddress(body, "edgeUrl"),
    supabaseUrl: parseAddress(body, "supabaseUrl"),
    supabasePublishableKey: parseText(body, "supabasePublishableKey"),
    currencySigns: parseTexts(body, "currencySigns") ?? ["¥", "元", "CNY"],
    demoLogins: parseDemoLogins(body["demoLogins"]),
  };
}

function parseText(body: Record<string, unknown>, field: string): string {
  const value = body[field];
  if (typeof value !== "string" || value.trim() === "") throw new ConfigProblem(field);
  return value.trim();
}

function parseTexts(body: Record<string, unknown>, field: string): string[] | undefined {
  const value = body[field];
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new ConfigProblem(field);
  return value.map((_, at) => parseText({ [field]: value[at] as unknown }, field));
}

/** An address of its own, or one relative to this page where one server stands in front of all. */
function parseAddress(body: Record<string, unknown>, field: string): string {
  const address = URL.parse(parseText(body, field), location.href);
  if (address === null || !/^https?:$/.test(address.protocol)) throw new ConfigProblem(field);
  return address.href.replace(/\/+$/, "");
}

function parseDemoLogins(value: unknown): DemoLogin[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new ConfigProblem("demoLogins");
  return value.map((entry: Record<string, unknown>) => ({
    label: parseText(entry, "label"),
    email: parseText(entry, "email"),
    password: parseText(entry, "password"),
  }));
}

/** From here on the page may talk to these two servers only: policies add up, the stricter wins. */
export function narrowPolicy(config: Config): void {
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = `connect-src 'self' ${new URL(config.edgeUrl).origin} ${new URL(config.supabaseUrl).origin}`;
  document.head.append(policy);
}
