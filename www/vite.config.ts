// How the site is built: one HTML file a page, relative addresses, nothing inline, and the worker that keeps it all.
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { type Plugin, defineConfig } from "vite";

/** Beside the pages: a service worker governs what is below it. */
const worker = "worker.js";

/** Tells the worker what the release consists of. */
function release(): Plugin {
  return {
    name: "mps-release",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const built = Object.values(bundle).filter(({ fileName }) => fileName !== worker);
        const hash = createHash("sha256");
        for (const file of built) hash.update(file.fileName).update(file.type === "chunk" ? file.code : file.source);
        const files = [...built.map(({ fileName }) => fileName), ...readdirSync("public")].sort();
        const script = bundle[worker];
        if (script?.type !== "chunk" || !script.code.includes("__RELEASE__")) throw new Error(`${worker} is not what it was`);
        script.code = script.code.replace("__RELEASE__", JSON.stringify({ name: hash.digest("hex").slice(0, 16), files }));
      },
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [release()],
  build: {
    target: "es2023",
    // The content security policy allows no `data:` scripts or fonts; small files stay files.
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { index: "index.html", member: "member.html", merchant: "merchant.html", worker: "worker/worker.ts" },
      output: { entryFileNames: ({ name }) => (name === "worker" ? worker : "assets/[name]-[hash].js") },
    },
  },
  // Its .wasm is found relative to its own module, which pre-bundling would move.
  optimizeDeps: { exclude: ["@mps/sdk"] },
});
