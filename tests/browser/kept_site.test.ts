// What a device keeps of the site: one release's pages and files, nothing that the API answered, and the next release in its place.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launch } from "./browser.ts";

const dist = new URL("../../www/dist/", import.meta.url);
const types: Readonly<Record<string, string>> = { html: "text/html", js: "text/javascript", css: "text/css", wasm: "application/wasm", svg: "image/svg+xml", json: "application/json" };

let browser: Browser;
let server: Server;
let page: Page;
/** What the server has to say: the release's name in its worker, whether it is well, and whether a page says otherwise with status 200. */
const site = { release: "first", isWell: true, isInMaintenance: false };

function body(path: string): string | Buffer {
  if (path === "/config.json" && site.isInMaintenance) return "<!doctype html><title>Back soon</title>";
  if (path === "/config.json" || path.startsWith("/api/")) return JSON.stringify({ path });
  const file = readFileSync(new URL(`.${path}`, dist));
  return path === "/worker.js" ? file.toString().replace(/"name":"\w+"/, `"name":"${site.release}"`) : file;
}

before(async () => {
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://site");
    if (!site.isWell) return response.writeHead(503).end();
    try {
      const answer = body(pathname);
      response.writeHead(200, { "Content-Type": types[pathname.split(".").at(-1) ?? ""] ?? "application/json" }).end(answer);
    } catch {
      response.writeHead(404).end();
    }
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  browser = await launch();
  page = await browser.newPage({ baseURL: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}` });
  await page.goto("/member.html");
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
});
after(async () => {
  await browser.close();
  server.close();
});

/** The paths that are kept, of each cache. */
const kept = () =>
  page.evaluate(async () => {
    const found: Record<string, string[]> = {};
    for (const name of await caches.keys()) {
      const requests = await (await caches.open(name)).keys();
      found[name] = requests.map(({ url }) => new URL(url).pathname);
    }
    return found;
  });

/** The status and the text of an answer; 0 when there is none. */
const ask = (path: string, method = "GET") =>
  page.evaluate(
    ([path, method]) => fetch(path ?? "", { method: method ?? "" }).then(async (answer) => [answer.status, await answer.text()], () => [0, ""]),
    [path, method],
  );

test("pages, files and configuration are kept, and no answer of the API", async () => {
  assert.deepEqual(await ask("/api/member/me"), [200, '{"path":"/api/member/me"}']);
  const all = await kept();
  assert.deepEqual(Object.keys(all), ["mps-site-first"]);
  const paths = all["mps-site-first"] ?? [];
  for (const path of ["/member.html", "/index.html", "/merchant.html", "/icon.svg", "/config.json"]) assert.ok(paths.includes(path), path);
  const others = paths.filter((path) => path.startsWith("/assets/"));
  assert.ok(others.some((path) => /mps_bg-.*\.wasm$/.test(path)), others.join());
  assert.equal(paths.length, others.length + 5, paths.join());
});

test("where the server does not answer, or not well, the kept ones open and the API says so", async () => {
  for (const failure of ["no network", "unwell"] as const) {
    await page.context().setOffline(failure === "no network");
    site.isWell = failure !== "unwell";
    for (const path of ["/member.html", "/member", "/"]) {
      const answer = await page.goto(path);
      assert.deepEqual([answer?.status(), answer?.fromServiceWorker()], [200, true], `${path}, ${failure}`);
      assert.match((await answer?.text()) ?? "", /<div id="app"/);
    }
    assert.deepEqual(await ask("/config.json"), [200, '{"path":"/config.json"}']);
    const failed = failure === "no network" ? 0 : 503;
    assert.equal((await ask("/api/member/me"))[0], failed);
    assert.equal((await ask("/member.html", "POST"))[0], failed, "only what is read is answered here");
    await page.context().setOffline(false);
    site.isWell = true;
  }
});

test("a page of maintenance, answered as if all were well, takes no configuration's place", async () => {
  site.isInMaintenance = true;
  assert.deepEqual(await ask("/config.json"), [200, '{"path":"/config.json"}']);
  site.release = "ill";
  const ended = await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    await registration.update();
    const { installing } = registration;
    while (installing !== null && installing.state !== "redundant" && installing.state !== "activated") {
      await new Promise((resolve) => installing.addEventListener("statechange", resolve, { once: true }));
    }
    return installing?.state;
  });
  assert.equal(ended, "redundant", "a release without its configuration is not taken");
  await page.context().setOffline(true);
  assert.deepEqual(await ask("/config.json"), [200, '{"path":"/config.json"}']);
  await page.context().setOffline(false);
  site.isInMaintenance = false;
});

test("the next release takes the place of the former", async () => {
  site.release = "second";
  await page.goto("/member.html");
  await page.evaluate(async () => {
    const changed = new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve));
    await (await navigator.serviceWorker.ready).update();
    await changed;
    const { controller } = navigator.serviceWorker;
    while (controller !== null && controller.state !== "activated") {
      await new Promise((resolve) => controller.addEventListener("statechange", resolve, { once: true }));
    }
  });
  assert.deepEqual(Object.keys(await kept()), ["mps-site-second"]);
});
