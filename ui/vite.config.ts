import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

if (process.env.VITEST) process.env.TZ = "Europe/Berlin"; // its clocks change, so that mistakes with that show

const server = process.env.APPLIANCE_URL ?? "http://127.0.0.1:4200";

/** What nearly every page needs comes in two files instead of twenty; what only one page needs stays with it. */
function chunkOf(id: string): string | undefined {
  if (/node_modules\/(react|react-dom|scheduler)\//.test(id)) return "react";
  if (/node_modules\/|src\/(ui|api)\/.+\.(tsx?|css)$/.test(id)) return "parts";
  if (
    /src\/lib\/(base|json|keys|states|waiting|why|bulk|jobs|run-filter|run-query|run-columns|counted|time|selection|task-selection|usage|form-model|log-model|palette)\.ts$/.test(
      id,
    )
  )
    return "parts";
  if (/src\/features\/(bulk|known-failures|live|runs|session|shell|system)\/.+\.css$/.test(id)) return "parts";
  if (
    /src\/features\/(bulk\/bulk-dialog|known-failures\/(unmark-button|use-known-change)|palette\/recent|runs\/(marked-state-field|query-box|runs-table|run-cells|stop-dialog|use-run-list|use-stop-action|wait-sentence))\.tsx?$/.test(
      id,
    )
  )
    return "parts";
  return undefined;
}

export default defineConfig({
  plugins: [react()],
  // The server writes the way up from each address before these, so that one build works under any prefix.
  base: "./",
  build: {
    outDir: "../appliance/server/web/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        manualChunks: chunkOf,
      },
    },
  },
  server: { proxy: { "/api": server, "/graphql": server } },
  test: {
    pool: "threads",
    projects: [
      // `lib` is pure: without a document its tests start in no time.
      { extends: true, test: { name: "lib", environment: "node", isolate: false, include: ["src/lib/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "components",
          environment: "jsdom",
          include: ["src/**/*.test.{ts,tsx}"],
          exclude: ["src/lib/**"],
          setupFiles: ["src/test/setup.ts"],
          // Much for a machine that is busy with other things; a test that waits in vain says so all the same.
          testTimeout: 20_000,
        },
      },
    ],
  },
});
