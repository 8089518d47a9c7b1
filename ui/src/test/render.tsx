/** Renders a component as a page of the app would: signed in, connected, with queries, a router and the notices. */

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
} from "@tanstack/react-router";
import { act, fireEvent, render, screen } from "@testing-library/react";
import userEvent, { PointerEventsCheckLevel, type UserEvent } from "@testing-library/user-event";
import { type ReactNode, useState } from "react";
import { live } from "../api/live";
import { loadSession } from "../api/session";
import { Toasts } from "../ui/toasts";
import { FakeEventSource, fakeEventSource } from "./event-source";

interface Options {
  /** The address; what is rendered stands at each of the app's addresses. */
  path?: string;
  permissions?: readonly string[];
  role?: "viewer" | "operator" | "admin";
  /** Nobody has set up the appliance yet. */
  setupRequired?: boolean;
}

export interface Page {
  user: UserEvent;
  queries: QueryClient;
  /** The address that the page is at now. */
  address: () => string;
  /** The same with its query and its fragment. */
  href: () => string;
  rerender: (element: ReactNode) => void;
  unmount: () => void;
}

/** The session as the server writes it into the page. */
export async function signIn(role: string, permissions: readonly string[], setupRequired = false): Promise<void> {
  document.getElementById("boot")?.remove();
  const boot = document.createElement("script");
  boot.id = "boot";
  boot.type = "application/json";
  boot.textContent = JSON.stringify({
    me: { username: "alice", role, permissions, csrfToken: "csrf-1", mustChangePassword: false },
    siteName: "Test",
    version: "1",
    setupRequired,
    shortestPassword: 12,
  });
  document.body.append(boot);
  await loadSession();
}

/** A stream that is open, so that the page may write. */
function connect(): void {
  live.stop();
  fakeEventSource();
  live.start();
  FakeEventSource.latest.open();
  FakeEventSource.latest.send("heartbeat");
}

const PATHS = [
  "/setup",
  "/login",
  "/runs",
  "/runs/$runId",
  "/logs",
  "/flows",
  "/flows/$flowId",
  "/flows/$flowId/run",
  "/agents",
  "/agents/$agentId",
  "/automations",
  "/automations/$automationId",
  "/limits",
  "/secrets",
  "/inbox",
  "/jobs",
  "/jobs/$jobId",
  "/people/users",
  "/people/tokens",
  "/system/storage",
];

const stage: { element: ReactNode; change: (next: ReactNode) => void } = { element: null, change: () => {} };

/** Shows what is rendered, and later what is rendered in its place. */
function Stage() {
  const [element, setElement] = useState(stage.element);
  stage.change = setElement;
  return element;
}

export async function renderPage(element: ReactNode, options: Options = {}): Promise<Page> {
  const { path = "/runs", permissions = [], role = "operator", setupRequired } = options;
  await signIn(role, permissions, setupRequired);
  connect();
  stage.element = element;
  const root = createRootRoute({
    component: () => (
      <>
        <Outlet />
        <Toasts />
      </>
    ),
  });
  const app = createRoute({ getParentRoute: () => root, id: "app" });
  const pages = PATHS.map((address) => createRoute({ getParentRoute: () => app, path: address, component: Stage }));
  const history = createMemoryHistory({ initialEntries: [path] });
  const router = createRouter({
    routeTree: root.addChildren([app.addChildren(pages)]),
    history,
    defaultPendingMinMs: 0,
    parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
  });
  const queries = new QueryClient({
    defaultOptions: { queries: { retry: false, networkMode: "always" }, mutations: { networkMode: "always" } },
  });
  await router.load();
  const view = () => (
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  );
  const { unmount } = render(view());
  for (const button of screen.queryAllByRole("button", { name: "Dismiss notice" })) fireEvent.click(button);
  return {
    user: userEvent.setup({ delay: null, pointerEventsCheck: PointerEventsCheckLevel.Never }),
    queries,
    address: () => history.location.pathname,
    href: () => history.location.href,
    rerender: (next) => act(() => stage.change(next)),
    unmount,
  };
}

/** The texts of all notices, the oldest first. */
export function notices(): string[] {
  const section = screen.getByRole("region", { name: "Notices" });
  return [...section.querySelectorAll(".toast > div")].map((notice) => notice.textContent ?? "");
}
