import "./ui/tokens.css";
import "./ui/base.css";
import "./ui/page.css";
import "./ui/table.css";
import { MutationCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError, whenSignedOut } from "./api/http";
import { systemKeys } from "./api/keys";
import { forgetUser, loadSession } from "./api/session";
import { makeRouter } from "./router";
import "./ui/theme";
import { toastError } from "./ui/toasts";

const RETRIES = 2;
const queries: QueryClient = new QueryClient({
  mutationCache: new MutationCache({
    onError: (error) => {
      if (!(error instanceof ApiError) || error.code !== "disk_full") return;
      toastError(error);
      void queries.invalidateQueries({ queryKey: systemKeys.all });
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        error instanceof ApiError && (error.status === 0 || error.status >= 500) && failures < RETRIES,
      retryDelay: (failures) => 500 * 2 ** failures,
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});
const router = makeRouter(queries);

whenSignedOut(() => {
  forgetUser();
  // Show the sign-in page first: queries cleared while their page is visible would refetch without a session.
  void router.invalidate().then(() => queries.clear());
});

async function start(): Promise<void> {
  const element = document.getElementById("root") as HTMLElement;
  try {
    await loadSession();
  } catch {
    showUnreachable(element);
    return;
  }
  createRoot(element).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}

/** No server, no page: say so and retry instead of staying blank. */
function showUnreachable(element: HTMLElement): void {
  element.replaceChildren();
  const box = document.createElement("main");
  box.className = "notice";
  box.textContent = "The appliance can't be reached. Retrying every 3 s.";
  element.append(box);
  window.setTimeout(() => {
    void start();
  }, 3_000);
}

void start();
