// The tarball in other people's bundlers, on servers, at build time and in pages: wherever they put the script, the module is found.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { test } from "node:test";

import { build, transform } from "esbuild";

import { answerOf, atPage, withPage } from "./browser.ts";
import { bundled, install, output, root, start } from "./project.ts";
import { scanned } from "./projects/frame.js";
import { wanted } from "./projects/probe.js";

const whole = { ...wanted, scanned };
const NODE = process.execPath;

/** A script alone in a folder, as a server gets it that is given its bundle and nothing else. */
async function alone(script: string): Promise<string> {
  const folder = join(root, ".mps", "packaging", "alone");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await cp(script, join(folder, "server.mjs"));
  return folder;
}

test("Vite for a server, everything in the script", async () => {
  const folder = await install("vite-ssr");
  await start(folder, NODE, [join(root, "node_modules/vite/bin/vite.js"), "build", "--ssr", "main.js"]);
  assert.deepEqual(await readdir(join(folder, "dist")), ["main.js"]);
  assert.deepEqual(await output(await alone(join(folder, "dist/main.js")), NODE, ["server.mjs"]), whole);
});

test("esbuild for Node", async () => {
  const folder = await install("esbuild");
  const outfile = join(folder, "out/server.js");
  await build({ absWorkingDir: folder, entryPoints: ["server.js"], outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" });
  assert.deepEqual(await output(await alone(outfile), NODE, ["server.mjs"]), whole);
});

test("esbuild for a page: the inline entries; the others name the file that is not there", async () => {
  const folder = await install("esbuild");
  const outdir = join(folder, "out");
  await build({ absWorkingDir: folder, entryPoints: ["page.js", "missing.js"], outdir, bundle: true, format: "esm", logLevel: "error" });
  await cp(join(folder, "page.html"), join(outdir, "index.html"));
  assert.deepEqual(await withPage(outdir, [], answerOf), whole);
  await cp(join(folder, "missing.html"), join(outdir, "index.html"));
  const told = (await withPage(outdir, [], answerOf)) as { readonly code: string; readonly message: string; readonly params: { readonly file: string } }[];
  assert.deepEqual(told.map(({ code, params }) => [code, params.file.split("/").at(-1)]), [
    ["UNAVAILABLE", "mps_bg.wasm"],
    ["UNAVAILABLE", "mps_scanner_bg.wasm"],
  ]);
  for (const { message, params } of told) assert.ok(message.includes(params.file) && message.includes("inline"), message);
});

test("Parcel, which knows no exports", async () => {
  const { folder, tool } = await bundled("parcel");
  await start(folder, NODE, [tool("parcel"), "build", "index.html", "--no-source-maps", "--no-cache"]);
  assert.deepEqual(await withPage(join(folder, "dist"), [], answerOf), whole);
});

test("Jest with jsdom", async () => {
  const { folder, tool } = await bundled("jest");
  for (const name of ["answer", "probe", "frame"]) {
    const { code } = await transform(await readFile(join(folder, `${name}.js`), "utf8"), { format: "cjs" });
    await writeFile(join(folder, `${name}.cjs`), code.replace(/"\.\/(\w+)\.js"/g, '"./$1.cjs"'));
  }
  await start(folder, NODE, [tool("jest"), "--ci"]);
});

test("Next.js", async (context) => {
  const { folder, tool } = await bundled("next");
  await start(folder, NODE, [tool("next"), "build"]);
  const server = spawn(NODE, [tool("next"), "start", "--port", "0", "--hostname", "127.0.0.1"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  try {
    let url = "";
    for await (const line of createInterface(server.stdout)) {
      url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? url;
      if (line.includes("Ready")) break;
    }
    server.stdout.resume();
    await context.test("a server component, rendered at build time", async () => {
      const page = await readFile(join(folder, ".next/server/app/index.html"), "utf8");
      const [, text = ""] = /<pre>(.*?)<\/pre>/.exec(page) ?? [];
      assert.deepEqual(JSON.parse(text.replaceAll("&quot;", '"')), whole);
    });
    for (const runtime of ["node", "edge"]) {
      await context.test(`a route handler, runtime ${runtime}`, async () => {
        assert.deepEqual(await (await fetch(`${url}/api/${runtime}`)).json(), whole);
      });
    }
    await context.test("a client component", async () => {
      const answer = await atPage(`${url}/client`, async (page) => {
        await page.waitForFunction("document.querySelector('pre')?.textContent !== ''");
        return JSON.parse((await page.textContent("pre")) ?? "") as unknown;
      });
      assert.deepEqual(answer, whole);
    });
  } finally {
    server.kill();
    await once(server, "exit");
  }
});
