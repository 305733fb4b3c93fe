// The built site on a server that plays everything behind it, so that a test sees each request and says when it is answered.
import { readFileSync } from "node:fs";
import { type IncomingMessage, type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Browser, Page } from "playwright-core";
import { sampleAnswerTo } from "../../pkg/tests/sample_answers.ts";
import { type Look, openDevice, openPage } from "./browser.ts";

const dist = new URL("../../www/dist/", import.meta.url);
const types: Readonly<Record<string, string>> = { html: "text/html", js: "text/javascript", css: "text/css", wasm: "application/wasm", svg: "image/svg+xml" };
const config = { edgeUrl: "./played", supabaseUrl: "./played", supabasePublishableKey: "played" };
const session = { access_token: "played", refresh_token: "played", token_type: "bearer", expires_at: 4_000_000_000, user: { id: "played" } };

/** One request to the edge: its path, and the fields that were sent. */
export interface Asked {
  readonly path: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What the edge answers, in the fields that a test is about; undefined for an address that it does not have. */
export type Play = (asked: Asked) => object | undefined | Promise<object | undefined>;

export interface PlayedSite {
  /** A page of it, signed in. */
  open: (path: string, look?: Look) => Promise<Page>;
  close: () => void;
}

export async function playSite(browser: Browser, play: Play): Promise<PlayedSite> {
  const server = createServer((request, response) => {
    void answerOf(request, play).then(
      ([type, body]) => response.writeHead(200, { "Content-Type": type }).end(body),
      () => response.writeHead(404, { "Content-Type": "application/problem+json" }).end('{"code":"NOT_FOUND"}'),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const baseURL = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return { open: (path, look = {}) => openSignedIn(browser, { ...look, baseURL, serviceWorkers: "block" }, path), close: () => stop(server) };
}

function stop(server: Server): void {
  server.closeAllConnections();
  server.close();
}

async function answerOf(request: IncomingMessage, play: Play): Promise<[type: string, body: string | Buffer]> {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://site");
  if (pathname === "/config.json") return ["application/json", JSON.stringify(config)];
  if (!pathname.startsWith("/played/")) return [types[pathname.split(".").at(-1) ?? ""] ?? "text/plain", readFileSync(new URL(`.${pathname}`, dist))];
  const sent = await text(request);
  const fields = sent === "" ? Object.fromEntries(searchParams) : (JSON.parse(sent) as Record<string, unknown>);
  const answer = await play({ path: pathname.replace("/played", ""), fields });
  if (answer === undefined) throw new Error(`nothing is played at ${pathname}`);
  return ["application/json", JSON.stringify(whole(answer, sampleAnswerTo(request.method ?? "", pathname.replace("/played", ""))))];
}

/** The answer with every field that its route's has, in lists and in what it holds too: the client takes no other. */
function whole(answer: unknown, sample: unknown): unknown {
  if (Array.isArray(answer)) {
    const [one] = (sample ?? []) as readonly unknown[];
    return (answer as readonly unknown[]).map((row) => whole(row, one));
  }
  if (!isRecord(answer) || !isRecord(sample)) return answer;
  return { ...sample, ...Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, whole(value, sample[name])])) };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function openSignedIn(browser: Browser, look: Look, path: string): Promise<Page> {
  const device = await openDevice(browser, look);
  await device.addInitScript((kept) => localStorage.setItem("mps.session", kept), JSON.stringify(session));
  const page = await openPage(device);
  await page.goto(path);
  return page;
}
