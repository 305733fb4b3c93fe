// What every page owes its visitor: his language, a phone's width, his own servers only, and a way on when something is wrong.
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { assertNoFaults, launch, openDevice, openPage, phone } from "./browser.ts";
import { freshDigits, qrPicture, shownDigits, signIn } from "./people.ts";

let browser: Browser;
// Kept for people to look at.
const pictures = mkdtempSync(join(tmpdir(), "mps-screens-"));

before(async () => {
  browser = await launch();
});
after(() => browser.close());

async function assertFits(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(width, phone.width, `${name} is wider than the phone`);
}

test("the language is Chinese until another is chosen, and the choice is kept", async () => {
  const page = await openPage(await openDevice(browser));
  await page.goto("/");
  await page.getByRole("button", { name: "登入", exact: true }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-Hant");
  await page.getByRole("button", { name: "EN" }).click();
  await page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.equal(await page.title(), "Sign in · Member Pay");
  await page.reload();
  await page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
  assert.doesNotMatch(await page.locator("form").innerText(), /\p{Script=Han}/u);
  await page.context().close();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`no page scrolls sideways on a phone, in either language, ${colorScheme}`, async (t) => {
    const member = await openPage(await openDevice(browser, { colorScheme }));
    const cashier = await openPage(await openDevice(browser, { colorScheme }));
    await member.goto("/");
    await member.getByLabel("密碼").waitFor();
    await assertFits(member, `${colorScheme}-sign-in`);
    await signIn(member, "hua");
    await qrPicture(member).waitFor();
    await assertFits(member, `${colorScheme}-wallet`);
    await member.getByRole("button", { name: "EN" }).click();
    await member.getByText("Hide the code").waitFor();
    await assertFits(member, `${colorScheme}-wallet-en`);

    await signIn(cashier, "cashier");
    await cashier.getByLabel("金額").fill("123456789012.99");
    await assertFits(cashier, `${colorScheme}-till`);
    await cashier.getByRole("button", { name: "EN" }).click();
    await cashier.getByLabel("Payment code", { exact: true }).fill("7".repeat(24));
    await cashier.getByText("This is not a right payment code.").waitFor();
    await assertFits(cashier, `${colorScheme}-till-en`);
    assertNoFaults(member, cashier);
    await member.context().close();
    await cashier.context().close();
    t.diagnostic(`screenshots: ${pictures}`);
  });
}

test("a wrong password is answered in words, and the form stays", async () => {
  const page = await openPage(await openDevice(browser));
  await page.goto("/");
  await page.getByLabel("電子郵件").fill("hua@demo.example");
  await page.getByLabel("密碼").fill("not the password");
  await page.getByRole("button", { name: "登入", exact: true }).click();
  await page.getByText("電子郵件或密碼不正確，請再輸入一次。").waitFor();
  assert.equal(await page.getByLabel("電子郵件").inputValue(), "hua@demo.example");
  await page.context().close();
});

test("who is not signed in is sent to the sign-in page", async () => {
  const page = await openPage(await openDevice(browser));
  for (const path of ["/member.html", "/merchant.html"]) {
    await page.goto(path);
    await page.getByRole("button", { name: "登入", exact: true }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/index.html");
  }
  await page.context().close();
});

test("a code is replaced before its minute is over", async () => {
  const page = await openPage(await openDevice(browser));
  await page.clock.install();
  await signIn(page, "hua");
  await qrPicture(page).waitFor();
  const digits = await shownDigits(page);
  await page.clock.fastForward(50_000);
  await page.getByText(/^[1-5] 秒後自動更新$/).waitFor();
  assert.equal(await shownDigits(page), digits);
  await page.clock.fastForward(6_000);
  await freshDigits(page, digits);
  await page.context().close();
});

test("an account without a member registers, and has a card at once", async () => {
  const page = await openPage(await openDevice(browser));
  await signIn(page, "admin");
  await page.getByRole("link", { name: "成為會員" }).click();
  await page.getByLabel("姓名").fill("陳大文");
  await page.getByLabel("手機號碼").fill("+886 900 000 002");
  await page.getByRole("button", { name: "完成註冊" }).click();
  await page.getByText("這個手機號碼已經註冊").waitFor();
  await page.getByLabel("手機號碼").fill("+886 900 777 001");
  await page.getByRole("button", { name: "完成註冊" }).click();
  await qrPicture(page).waitFor();
  await page.getByText(/^STD\d{8}$/).waitFor();
  assertNoFaults(page);
  await page.context().close();
});

test("a page talks to its own servers only", async () => {
  const page = await openPage(await openDevice(browser));
  await page.goto("/");
  await page.getByLabel("密碼").waitFor();
  const blocked = await page.evaluate(async () => {
    const seen = new Promise<string>((resolve) => {
      document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
    });
    await fetch("https://elsewhere.example/").catch(() => undefined);
    return Promise.race([seen, new Promise<string>((resolve) => setTimeout(resolve, 2000, "nothing"))]);
  });
  assert.equal(blocked, "connect-src");
  await page.context().close();
});

test("a site without its configuration says what to do", async () => {
  const page = await openPage(await openDevice(browser, { serviceWorkers: "block" }));
  await page.route("**/config.json", (route) => route.fulfill({ status: 404 }));
  await page.goto("/member.html");
  await page.getByText("找不到設定檔 config.json。").waitFor();
  await page.getByText(/請管理者在網站目錄放入 config.json/).waitFor();

  await page.unrouteAll();
  await page.route("**/config.json", (route) => route.fulfill({ json: { edgeUrl: "ftp://edge" } }));
  await page.getByRole("button", { name: "再試一次" }).click();
  await page.getByText("設定檔 config.json 的內容不正確：edgeUrl。").waitFor();
  await page.context().close();
});

test("a machine without any network signs in to a server of its own", async () => {
  const page = await openPage(await openDevice(browser));
  await page.addInitScript(() => Object.defineProperty(navigator, "onLine", { get: () => false }));
  await signIn(page, "ming");
  await qrPicture(page).waitFor();
  await page.context().close();
});

test("a wallet that loses its connection keeps what it shows, and says so", async () => {
  const page = await openPage(await openDevice(browser));
  await signIn(page, "hua");
  await qrPicture(page).waitFor();
  await page.context().setOffline(true);
  await page.getByText("目前沒有網路，連線恢復後會自動更新。").waitFor();
  await page.getByText("200.00").first().waitFor();
  await page.context().setOffline(false);
  await page.getByText("目前沒有網路").waitFor({ state: "detached" });
  await page.context().close();
});
