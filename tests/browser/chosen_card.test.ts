// The code on show is the chosen card's, from the moment that another is chosen: a cashier may be scanning it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { assertNoFaults, launch } from "./browser.ts";
import { shownDigits } from "./people.ts";
import { type Asked, type PlayedSite, playSite } from "./played_site.ts";

const codes: Readonly<Record<string, string>> = { a: "701234567890123456789017", b: "700000000000000000000005" };
const member = { user_id: "played", is_admin: false, member_id: "m", member_no: "M00000001", name: "Ming", phone: null, email: null, status: "active", merchants: [] };
const cards = Object.keys(codes).map((card_id, at) => ({
  card_id,
  card_no: `STD0000000${at}`,
  card_type: "standard",
  name: null,
  role: "owner",
  status: "active",
  balance: "100.00",
  points: 0,
  level: 0,
  level_name: "普卡",
  discount: "1.000",
  discount_source: "none",
  next_level_points: null,
  expires_at: null,
  pays: true,
}));

let browser: Browser;
let site: PlayedSite;

function play({ path, fields }: Asked): object | undefined {
  if (path === "/api/member/me") return member;
  if (path === "/api/member/cards") return cards;
  if (path === "/api/qr/rotate") return { qr_plain: codes[String(fields["card_id"])], qr_expires_at: "2100-01-01T00:01:00Z" };
  if (path.endsWith("/devices")) return [];
  return undefined;
}

before(async () => {
  browser = await launch();
  site = await playSite(browser, (asked) => play(asked));
});
after(async () => {
  await browser.close();
  site.close();
});

test("with another card chosen the former card's code is gone before the next frame", async () => {
  const wallet = await site.open("/member.html");
  await wallet.getByRole("group", { name: "付款碼數字" }).waitFor();
  assert.equal(await shownDigits(wallet), codes["a"]);
  const shown = await wallet.evaluate(async () => {
    document.querySelectorAll<HTMLInputElement>("input[name=card]")[1]?.click();
    // When the choice has been drawn; effects come later.
    await new Promise((resolve) => setTimeout(resolve));
    return document.querySelector(".digits")?.textContent;
  });
  assert.notEqual(shown, codes["a"]);
  await wallet.waitForFunction((digits) => document.querySelector(".digits")?.textContent === digits, codes["b"]);
  assertNoFaults(wallet);
  await wallet.context().close();
});
