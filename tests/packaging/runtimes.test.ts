// The tarball in every runtime that the README names: installed, started, and right.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, readdir, rename } from "node:fs/promises";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { test } from "node:test";

import { build } from "esbuild";

import { install, output, program, root, start } from "./project.ts";
import { scanned } from "./projects/frame.js";
import { wanted } from "./projects/probe.js";

/** A runtime from its npm package; skipped where that has no binary for this machine. */
async function runs(name: string): Promise<boolean> {
  try {
    await access(program(name));
    await start(root, program(name), ["--version"]);
    return true;
  } catch {
    return false;
  }
}

test("Node", async () => {
  const folder = await install("node");
  assert.deepEqual(await output(folder, process.execPath, ["main.js"]), { ...wanted, scanned });
});

test("Deno", async (context) => {
  if (!(await runs("deno"))) return context.skip("deno does not run on this machine");
  const folder = await install("deno");
  const args = ["run", "--allow-read=.", "--node-modules-dir=manual", "--no-lock", "main.js"];
  assert.deepEqual(await output(folder, program("deno"), args), { ...wanted, scanned });
});

test("Bun", async (context) => {
  if (!(await runs("bun"))) return context.skip("bun does not run on this machine");
  const folder = await install("bun");
  assert.deepEqual(await output(folder, program("bun"), ["run", "main.js"]), { ...wanted, scanned });
});

test("workerd, the module compiled beforehand", async () => {
  const folder = await install("workerd");
  const out = join(folder, "out");
  await build({
    absWorkingDir: folder,
    entryPoints: ["worker.js"],
    outdir: out,
    bundle: true,
    format: "esm",
    conditions: ["workerd"],
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    logLevel: "error",
  });
  assert.deepEqual((await readdir(out)).sort(), ["mps_bg.wasm", "mps_scanner_bg.wasm", "worker.js"]);
  const workerd = spawn(program("workerd"), ["serve", "config.capnp", "--control-fd=1"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [line] = (await once(createInterface(workerd.stdout), "line")) as [string];
    const { port } = JSON.parse(line) as { port: number };
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    assert.deepEqual(await answer.json(), { ...wanted, scanned, client: "function" });
  } finally {
    workerd.kill();
    await once(workerd, "exit");
  }
});

test("an import that uses nothing adds nothing to a bundle", async () => {
  const folder = await install("node");
  for (const entry of ["@mps/sdk", "@mps/sdk/client", "@mps/sdk/inline", "@mps/sdk/script", "@mps/sdk/scanner"]) {
    const stdin = { contents: `import "${entry}";`, resolveDir: folder };
    const { outputFiles } = await build({ stdin, bundle: true, format: "esm", write: false, logLevel: "error" });
    assert.equal(outputFiles[0]?.text.trim(), "", entry);
  }
});

test("an app that takes the client gets no WebAssembly", async () => {
  const folder = await install("node");
  await rename(join(folder, "node_modules/@mps/sdk/dist/mps.js"), join(folder, "gone.js"));
  const script = `import { MpsClient } from "@mps/sdk/client"; console.log(JSON.stringify(typeof MpsClient));`;
  assert.equal(await output(folder, process.execPath, ["--input-type=module", "--eval", script]), "function");
});
