// The package as a stranger gets it: packed once, installed into a project of its own for each runtime.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const here = import.meta.dirname;
export const root = join(here, "..", "..");
/** Inside the checkout, so that a project finds the tools of the workspace, and only those. */
const aside = join(root, ".mps", "packaging");

export const program = (name: string): string => join(root, "node_modules", ".bin", name);

const npm = async (folder: string, args: readonly string[]): Promise<string> => {
  const { stdout } = await run("npm", [...args, "--loglevel=error"], { cwd: folder });
  return stdout.trim();
};

let packing: Promise<string> | undefined;

/** The tarball that `npm pack` makes. */
export function tarball(): Promise<string> {
  packing ??= pack();
  return packing;
}

async function pack(): Promise<string> {
  await mkdir(aside, { recursive: true });
  const output = await npm(join(root, "pkg"), ["pack", "--pack-destination", aside, "--json"]);
  const [{ filename }] = JSON.parse(output) as [{ filename: string }];
  return join(aside, filename);
}

/** A fresh copy of a project with the package installed from the tarball. */
export async function install(name: string): Promise<string> {
  const folder = join(aside, name);
  await rm(folder, { recursive: true, force: true });
  await cp(join(here, "projects", name), folder, { recursive: true });
  for (const shared of ["answer.js", "probe.js", "frame.js"]) await cp(join(here, "projects", shared), join(folder, shared));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: `try-${name}`, private: true, type: "module" }));
  await npm(folder, ["install", "--offline", "--no-audit", "--no-fund", "--no-package-lock", await tarball()]);
  const installed = await readFile(join(folder, "node_modules", "@mps", "sdk", "package.json"), "utf8");
  assert.equal((JSON.parse(installed) as { name: string }).name, "@mps/sdk");
  return folder;
}

/** The folder of the large bundlers, with them and the package from the tarball in it: installed once, and again when their lock changes. */
let bundling: Promise<string> | undefined;

async function bundlers(): Promise<string> {
  const folder = join(aside, "bundlers");
  const lock = await readFile(join(here, "bundlers", "package-lock.json"), "utf8");
  const installed = join(folder, "node_modules", ".installed.json");
  if ((await readFile(installed, "utf8").catch(() => "")) !== lock) {
    await rm(folder, { recursive: true, force: true });
    await cp(join(here, "bundlers"), folder, { recursive: true });
    await npm(folder, ["ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]);
    await writeFile(installed, lock);
  }
  const sdk = join(folder, "node_modules", "@mps", "sdk");
  await rm(sdk, { recursive: true, force: true });
  await mkdir(sdk, { recursive: true });
  // npm would look at all of their packages again for it.
  await run("tar", ["-xzf", await tarball(), "--strip-components=1", "-C", sdk]);
  return folder;
}

/** A fresh copy of a project that one of the large bundlers builds, and what runs their programs. */
export async function bundled(name: string): Promise<{ readonly folder: string; readonly tool: (name: string) => string }> {
  const shared = await (bundling ??= bundlers());
  const folder = join(shared, name);
  await rm(folder, { recursive: true, force: true });
  await cp(join(here, "projects", name), folder, { recursive: true });
  for (const file of ["answer.js", "probe.js", "frame.js"]) await cp(join(here, "projects", file), join(folder, file));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: `try-${name}`, private: true, type: "module" }));
  return { folder, tool: (program) => join(shared, "node_modules", ".bin", program) };
}

/** What a program prints, as JSON. */
export async function output(folder: string, file: string, args: readonly string[]): Promise<unknown> {
  const { stdout } = await run(file, args, { cwd: folder, timeout: 60_000 });
  return JSON.parse(stdout) as unknown;
}

export async function start(folder: string, file: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
  await run(file, args, { cwd: folder, timeout: 300_000, env });
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

/** Serves a folder on a free port; files of an ending in `untyped` go without their type, as a WebView's scheme may do. */
export async function serve(folder: string, untyped: readonly string[] = []): Promise<{ url: string; stop: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname));
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    readFile(file).then(
      (bytes) => {
        const ending = extname(file);
        const type = untyped.includes(ending) ? undefined : types[ending];
        response.writeHead(200, { "Content-Type": type ?? "application/octet-stream" }).end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
