// Two programs that know how packages go wrong look at the tarball.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { publint } from "publint";
import { formatMessage } from "publint/utils";

import { program, root, tarball } from "./project.ts";

test("publint finds nothing", async () => {
  const bytes = await readFile(await tarball());
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, strict: true });
  assert.deepEqual(messages.map((message) => formatMessage(message, pkg)), []);
});

test("Are the Types Wrong finds nothing", async () => {
  // The module and the manifest have no types; everything here is ESM. It exits with 1 when it finds something.
  const args = [await tarball(), "--profile", "esm-only", "--exclude-entrypoints", "mps_bg.wasm", "mps_scanner_bg.wasm", "package.json", "--no-color"];
  const { stdout } = await promisify(execFile)(program("attw"), args, { cwd: root });
  assert.match(stdout, /@mps\/sdk/);
});

test("the tarball has its licences, its recipes and no link that leads out of it", async () => {
  const { stdout } = await promisify(execFile)("tar", ["-tzf", await tarball()]);
  const files = stdout.trim().split("\n").map((name) => name.replace("package/", ""));
  for (const name of ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "examples/till.js"]) assert.ok(files.includes(name), name);
  const readme = await readFile(join(root, "pkg", "README.md"), "utf8");
  const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
  assert.ok(links.length >= 4);
  assert.deepEqual(links.filter((link) => !files.includes(link)), []);
});
