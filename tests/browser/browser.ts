// A Chromium with a fresh profile, and pages that fail the test when they break their own rules.
import assert from "node:assert/strict";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

export function fromEnvironment(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set: run \`cargo xtask test --only browser\``);
  return value;
}

const quiet = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function launch(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: fromEnvironment("MPS_CHROMIUM"), args: [...quiet, ...flags] });
}

export const siteUrl = (): string => fromEnvironment("MPS_WWW_URL");

export const phone = { width: 360, height: 740 };

export interface Look {
  colorScheme?: "light" | "dark";
  permissions?: string[];
  /** Blocked where a test answers in the server's place: a worker's requests pass by it. */
  serviceWorkers?: "allow" | "block";
  /** The site of the environment when left out. */
  baseURL?: string;
  /** The browser's own language. */
  locale?: string;
}

/** Somebody's own device: nothing is shared with another. */
export function openDevice(browser: Browser, look: Look = {}): Promise<BrowserContext> {
  return browser.newContext({ viewport: phone, deviceScaleFactor: 2, ...look, baseURL: look.baseURL ?? siteUrl() });
}

/** A page whose exceptions and breaches of its policy are kept; `assertNoFaults` holds them against the test. */
export async function openPage(device: BrowserContext): Promise<Page> {
  const page = await device.newPage();
  const found: string[] = [];
  faults.set(page, found);
  page.on("pageerror", (error) => found.push(String(error)));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) found.push(message.text());
  });
  return page;
}

const faults = new WeakMap<Page, string[]>();

export function assertNoFaults(...pages: Page[]): void {
  for (const page of pages) assert.deepEqual(faults.get(page), [], `faults on ${page.url()}`);
}
