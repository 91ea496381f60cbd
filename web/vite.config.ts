import { defineConfig } from "vite";

export default defineConfig({
  // Relative, so that the page may lie in any folder of a server.
  base: "./",
  build: {
    outDir: "../build/page",
    emptyOutDir: true,
    target: "es2022",
    // A page that asks for nothing but itself inlines nothing either: its policy allows no data: script.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
});
