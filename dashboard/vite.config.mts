import { defineConfig } from "vitest/config";

// Built into the package, from which a node serves it and a wheel carries it; scripts/setup calls this.
export default defineConfig({
  root: import.meta.dirname,
  base: "/dashboard/",
  cacheDir: "../node_modules/.vite",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../client/jepanet/dashboard",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
