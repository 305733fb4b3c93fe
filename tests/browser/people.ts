// What the members and cashiers of the demo data do on the pages, as people see them: by label, role and text.
import { MpsClient } from "@mps/sdk/client";
import { type SupabaseClient, createClient } from "@supabase/supabase-js";
import type { Page } from "playwright-core";
import { fromEnvironment } from "./browser.ts";

const password = "demo-password-1234";

export type Name = "ming" | "hua" | "cashier" | "admin";

/** A person without a page, by the package's client and by supabase-js. */
export interface Person {
  readonly supabase: SupabaseClient;
  readonly token: string;
  readonly client: MpsClient;
}

/** The same person elsewhere: what he does there, a page hears of from the server only. */
export async function elsewhere(name: Name): Promise<Person> {
  const options = { auth: { persistSession: false, autoRefreshToken: false } };
  const supabase = createClient(fromEnvironment("MPS_SUPABASE_URL"), fromEnvironment("MPS_PUBLISHABLE_KEY"), options);
  const { data, error } = await supabase.auth.signInWithPassword({ email: `${name}@demo.example`, password });
  if (error !== null) throw error;
  const token = data.session.access_token;
  return { supabase, token, client: new MpsClient({ baseUrl: fromEnvironment("MPS_EDGE_URL"), accessToken: () => token }) };
}

export async function signIn(page: Page, name: Name): Promise<void> {
  await page.goto("/");
  await page.getByLabel("電子郵件").fill(`${name}@demo.example`);
  await page.getByLabel("密碼").fill(password);
  await page.getByRole("button", { name: "登入", exact: true }).click();
}

export const qrPicture = (page: Page) => page.getByRole("img", { name: "付款碼的 QR 圖" });

const spaces = /\s/g;

/** The 24 digits under the QR. */
export async function shownDigits(page: Page): Promise<string> {
  return (await page.getByRole("group", { name: "付款碼數字" }).innerText()).replace(spaces, "");
}

/** Waits until the wallet shows another code than `digits`. */
export async function freshDigits(page: Page, digits: string): Promise<string> {
  await page.waitForFunction((spent) => {
    const shown = document.querySelector(".digits")?.textContent ?? "";
    return /^\d{24}$/.test(shown) && shown !== spent;
  }, digits);
  return shownDigits(page);
}

/** The chosen card's balance in cents. */
export async function balanceInCents(page: Page): Promise<number> {
  const card = page.locator("label.card").filter({ has: page.getByRole("radio", { checked: true }) });
  return Number((await card.locator("b").innerText()).replace(/[,.]/g, ""));
}

export async function typeCharge(page: Page, amount: string, digits: string): Promise<void> {
  await page.getByLabel("金額").fill(amount);
  await page.getByLabel("付款碼", { exact: true }).fill(digits);
}

export const chargeButton = (page: Page, amount: string) => page.getByRole("button", { name: `收款 ${amount}`, exact: true });

export const newCharge = (page: Page) => page.getByRole("button", { name: "新的收款" }).click();

/** What this browser keeps of enrolled phones. */
export const deviceKeys = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const opening = indexedDB.open("mps");
    await new Promise((resolve) => (opening.onsuccess = resolve));
    const names = opening.result.transaction("texts").objectStore("texts").getAllKeys();
    await new Promise((resolve) => (names.onsuccess = resolve));
    opening.result.close();
    return names.result.map(String).filter((name) => name.startsWith("mps.device."));
  });
