import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv } from "vite";

/** The paths that the server answers; Vite answers the others. */
const SERVER_PATHS = "^/(?!app/|app$|@|src/|node_modules/).*";

export default defineConfig(({ mode }) => {
  const env = loadEnv(mode, ".", "VERSIONER_");
  const token = env["VERSIONER_TOKEN"];
  return {
    // Assets are relative to the <base> of index.html, which the server sets.
    base: mode === "production" ? "./" : "/app/",
    plugins: [react(), tailwindcss()],
    resolve: {
      alias: { "@versioner/client": new URL("../clients/typescript/src/index.ts", import.meta.url).pathname },
    },
    build: {
      outDir: "../internal/web/dist",
      emptyOutDir: true,
      target: ["chrome123", "edge123", "firefox121", "safari17.5"],
      sourcemap: false,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      rolldownOptions: {
        output: {
          codeSplitting: {
            // The framework changes rarely: browsers keep it when the pages change.
            groups: [
              { name: "framework", test: /node_modules[\\/](react|react-dom|scheduler|@tanstack)[\\/]/ },
              // What pages share is one request.
              {
                name: "app",
                test: /web[\\/]src[\\/](api|components|lib|shell)[\\/]|clients[\\/]typescript/,
                minShareCount: 2,
              },
              // The dialogs that change objects come with the first page that has one.
              { name: "forms", test: /web[\\/]src[\\/]forms[\\/]/ },
            ],
          },
        },
      },
    },
    server: {
      // The client and the guides of CI systems are outside of web/.
      fs: { allow: [".."] },
      proxy: {
        [SERVER_PATHS]: {
          target: env["VERSIONER_API_URL"] ?? "http://127.0.0.1:8080",
          ...(token ? { headers: { Authorization: `Bearer ${token}` } } : {}),
        },
      },
    },
  };
});
