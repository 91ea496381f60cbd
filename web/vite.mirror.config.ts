import { defineConfig } from "vite";

/** The arithmetic alone, as a program for Node: what the tests hold against Python. */
export default defineConfig({
  build: {
    outDir: "../build/mirror",
    emptyOutDir: true,
    target: "node20",
    minify: false,
    ssr: "src/mirror.ts",
    rollupOptions: { output: { entryFileNames: "mirror.mjs" } },
  },
  ssr: { noExternal: true },
});
