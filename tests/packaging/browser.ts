// A browser, and pages of folders in it.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { type Browser, type Page, chromium } from "playwright-core";

import { serve } from "./project.ts";

const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];

let browser: Browser;

before(async () => {
  const executablePath = process.env["MPS_CHROMIUM"];
  if (executablePath === undefined) throw new Error("MPS_CHROMIUM is not set: run `cargo xtask test --only packaging`");
  browser = await chromium.launch({ executablePath, args: flags });
});

after(() => browser.close());

/** Opens a folder's page and hands it over; nothing on it may fail. */
export async function withPage<T>(folder: string, untyped: readonly string[], use: (page: Page) => Promise<T>): Promise<T> {
  const { url, stop } = await serve(folder, untyped);
  try {
    return await atPage(url, use);
  } finally {
    await stop();
  }
}

/** The same for an address. */
export async function atPage<T>(url: string, use: (page: Page) => Promise<T>): Promise<T> {
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  try {
    await page.goto(url);
    const result = await use(page);
    assert.deepEqual(faults, []);
    return result;
  } finally {
    await page.close();
  }
}

export const answerOf = async (page: Page): Promise<unknown> => {
  await page.waitForFunction("document.body.textContent.trim() !== ''");
  return JSON.parse((await page.textContent("body")) ?? "") as unknown;
};
