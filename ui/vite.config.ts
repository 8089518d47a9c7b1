import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.APPLIANCE_URL ?? "http://127.0.0.1:4200";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../appliance/server/web/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        manualChunks: (id) => (/node_modules\/(react|react-dom|scheduler)\//.test(id) ? "react" : undefined),
      },
    },
  },
  server: { proxy: { "/api": server, "/graphql": server } },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});
