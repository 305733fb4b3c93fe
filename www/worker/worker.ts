// The site without a network: a service worker that keeps one release's pages and files, and the configuration as last seen.
// Whatever else is asked for goes past it, every call of the API and of signing in too.

export {};

declare const self: ServiceWorkerGlobalScope;

/** Written by vite.config.ts: what the release is called, and its files from the site's root. */
declare const __RELEASE__: { readonly name: string; readonly files: readonly string[] };

const release = __RELEASE__;
const prefix = "mps-site-";
const cacheName = `${prefix}${release.name}`;
const config = "config.json";
/** So long a page may take where there is a network of a kind. */
const patienceMs = 3_000;

const addressOf = (file: string): string => new URL(file, self.registration.scope).href;

/** The file of this site that a request is for; undefined when it is none of ours. */
function fileOf(request: Request): string | undefined {
  const { href, origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin || !href.startsWith(self.registration.scope)) return undefined;
  const path = pathname.slice(new URL(self.registration.scope).pathname.length);
  // Servers leave `.html` out, and a folder is its index.
  const named = [path, `${path}.html`, `${path}index.html`];
  return path === config ? config : named.find((file) => release.files.includes(file));
}

/** Servers answer a page of maintenance with 200 too, whatever was asked for: what is no JSON object is no configuration. */
async function isMistaken(file: string, answer: Response): Promise<boolean> {
  if (file !== config || !answer.ok) return false;
  const body: unknown = await answer.clone().json().catch(() => undefined);
  return typeof body !== "object" || body === null || Array.isArray(body);
}

async function keep(file: string): Promise<void> {
  const answer = await fetch(addressOf(file), { cache: "no-cache" });
  if (!answer.ok || (await isMistaken(file, answer))) throw new Error(`${file} is answered ${answer.status}`);
  const cache = await caches.open(cacheName);
  // A copy: a page that came by a redirection may not be shown as one that did not.
  await cache.put(addressOf(file), new Response(answer.body, { headers: answer.headers }));
}

async function kept(file: string): Promise<Response | undefined> {
  return (await caches.open(cacheName)).match(addressOf(file));
}

/** The server's, where it answers in time, else the kept one. */
async function freshOr(file: string, request: Request): Promise<Response> {
  const fresh = fetch(request);
  const good = fresh.then(async (answer) => (answer.status >= 500 || (await isMistaken(file, answer)) ? undefined : answer));
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, patienceMs));
  const answer = await Promise.race([good, late]).catch(() => undefined);
  if (answer?.ok === true && file === config) await (await caches.open(cacheName)).put(addressOf(config), answer.clone());
  return answer ?? (await kept(file)) ?? fresh;
}

/** A file's name has its content's hash: the kept one is right for ever. */
async function keptOr(file: string, request: Request): Promise<Response> {
  return (await kept(file)) ?? fetch(request);
}

self.addEventListener("install", (event) => {
  event.waitUntil(Promise.all([...release.files, config].map(keep)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const replaceOthers = async (): Promise<void> => {
    const others = (await caches.keys()).filter((name) => name.startsWith(prefix) && name !== cacheName);
    await Promise.all(others.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(replaceOthers());
});

self.addEventListener("fetch", (event) => {
  const file = fileOf(event.request);
  if (file === undefined) return;
  const isHashed = file.startsWith("assets/");
  event.respondWith(isHashed ? keptOr(file, event.request) : freshOr(file, event.request));
});
