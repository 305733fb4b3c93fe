// How the pages are built: one HTML file a page, relative addresses, nothing inline.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    target: "es2023",
    // The content security policy allows no `data:` scripts or fonts; small files stay files.
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: ["index.html", "member.html", "merchant.html"],
    },
  },
  // Its .wasm is found relative to its own module, which pre-bundling would move.
  optimizeDeps: { exclude: ["@mps/sdk"] },
});
