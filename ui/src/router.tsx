/** Every page and its address. A page's first query starts with the navigation, in parallel with loading its code. */

import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { agentMatchQuery, agentQuery, agentsQuery } from "./api/agents";
import { automationQuery, automationsQuery } from "./api/automations";
import { runsQuery } from "./api/flow-runs";
import { flowHistoryQuery, flowQuery, flowsQuery, flowTasksQuery } from "./api/flows";
import { homeQuery } from "./api/home";
import { jobQuery, jobsQuery } from "./api/jobs";
import { bundlesQuery, keptResultsQuery, keptTotalsQuery } from "./api/kept";
import { knownFailuresQuery } from "./api/known-failures";
import { projectsQuery } from "./api/life-cycle";
import { limitsQuery } from "./api/limits";
import { logSearchQuery } from "./api/logs";
import { tokensQuery, usersQuery } from "./api/people";
import { savedViewsQuery } from "./api/saved-views";
import { secretsQuery } from "./api/secrets";
import { currentSession } from "./api/session";
import { prefetchRunPage } from "./api/task-runs";
import { parseRunSearch } from "./features/run/search";
import { Shell } from "./features/shell/shell";
import { type MatchSearch, parseMatchSearch, viewOf } from "./lib/agent-match";
import { BASE } from "./lib/base";
import { hasWord, parseLogSearch } from "./lib/log-search";
import { safePath, text } from "./lib/paths";
import type { Permission } from "./lib/permissions";
import { formerQuery, parseRunView } from "./lib/run-filter";
import { isPlain, type RunSearch, searchOf } from "./lib/saved-views";
import { parseTaskSort, type TaskSort } from "./lib/task-figures";
import { parseVersion } from "./lib/versions";
import { NotFoundPage } from "./pages/not-found";
import { Failure } from "./ui/notice";

const root = createRootRouteWithContext<{ queries: QueryClient }>()({ notFoundComponent: NotFoundPage });

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  validateSearch: (search: Record<string, unknown>): { token?: string } => ({ token: text(search.token) }),
  component: lazyRouteComponent(() => import("./pages/setup"), "SetupPage"),
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search: Record<string, unknown>): { next?: string } => ({ next: text(search.next) }),
  beforeLoad: ({ search }) => {
    if (currentSession().setupRequired) throw redirect({ to: "/setup" });
    if (currentSession().me) throw redirect({ href: safePath(search.next) });
  },
  component: lazyRouteComponent(() => import("./pages/login"), "LoginPage"),
});

const password = createRoute({
  getParentRoute: () => root,
  path: "/password",
  validateSearch: (search: Record<string, unknown>): { next?: string } => ({ next: text(search.next) }),
  beforeLoad: ({ search }) => {
    const { me } = currentSession();
    if (!me) throw redirect({ to: "/login", search });
    if (!me.mustChangePassword) throw redirect({ href: safePath(search.next) });
  },
  component: lazyRouteComponent(() => import("./pages/password"), "PasswordPage"),
});

const app = createRoute({
  getParentRoute: () => root,
  id: "app",
  beforeLoad: ({ location }) => {
    const { me, setupRequired } = currentSession();
    if (setupRequired) throw redirect({ to: "/setup" });
    if (!me) throw redirect({ to: "/login", search: { next: location.href } });
    if (me.mustChangePassword) throw redirect({ to: "/password", search: { next: location.href } });
  },
  component: Shell,
});

const home = createRoute({
  getParentRoute: () => app,
  path: "/",
  validateSearch: (search: Record<string, unknown>): { kiosk?: true } =>
    "kiosk" in search && search.kiosk !== "false" ? { kiosk: true } : {},
  loader: ({ context }) => {
    void context.queries.prefetchQuery(homeQuery);
  },
  component: lazyRouteComponent(() => import("./pages/home"), "HomePage"),
});

const runs = createRoute({
  getParentRoute: () => app,
  path: "/runs",
  validateSearch: (search: Record<string, unknown>): RunSearch & { flow?: string } => ({
    q: text(search.q),
    sort: text(search.sort),
    columns: text(search.columns),
    show: text(search.show),
    flow: text(search.flow),
  }),
  beforeLoad: async ({ search, context, cause }) => {
    const q = formerQuery(search);
    if (q !== null) throw redirect({ to: "/runs", search: { q }, replace: true });
    if (cause !== "enter" || !isPlain(search)) return;
    const views = await context.queries.ensureQueryData(savedViewsQuery).catch(() => []);
    const usual = views.find((view) => view.default);
    if (usual) throw redirect({ to: "/runs", search: searchOf(usual), replace: true });
  },
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => {
    void context.queries.prefetchInfiniteQuery(runsQuery(parseRunView(deps)));
  },
  component: lazyRouteComponent(() => import("./pages/runs"), "RunsPage"),
});

const run = createRoute({
  getParentRoute: () => app,
  path: "/runs/$runId",
  validateSearch: parseRunSearch,
  loader: ({ context, params }) => {
    prefetchRunPage(context.queries, params.runId);
  },
  component: lazyRouteComponent(() => import("./pages/run"), "RunPage"),
});

const logs = createRoute({
  getParentRoute: () => app,
  path: "/logs",
  validateSearch: (search: Record<string, unknown>): { q?: string; level?: string; flow?: string } => ({
    q: text(search.q),
    level: text(search.level),
    flow: text(search.flow),
  }),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => {
    const view = parseLogSearch(deps);
    if (hasWord(view.q)) void context.queries.prefetchInfiniteQuery(logSearchQuery(view));
  },
  component: lazyRouteComponent(() => import("./pages/logs"), "LogsPage"),
});

const flows = createRoute({
  getParentRoute: () => app,
  path: "/flows",
  validateSearch: (search: Record<string, unknown>): { q?: string; show?: "archive" } => ({
    q: text(search.q),
    show: search.show === "archive" ? "archive" : undefined,
  }),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => {
    void context.queries.prefetchInfiniteQuery(flowsQuery(deps.q ?? "", deps.show === "archive"));
  },
  component: lazyRouteComponent(() => import("./pages/flows"), "FlowsPage"),
});

const projects = createRoute({
  getParentRoute: () => app,
  path: "/projects",
  validateSearch: (search: Record<string, unknown>): { show?: "archive" } => ({
    show: search.show === "archive" ? "archive" : undefined,
  }),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => {
    void context.queries.prefetchQuery(projectsQuery(deps.show === "archive"));
  },
  component: lazyRouteComponent(() => import("./pages/projects"), "ProjectsPage"),
});

const flow = createRoute({
  getParentRoute: () => app,
  path: "/flows/$flowId",
  loader: ({ context, params }) => {
    void context.queries.prefetchQuery(flowQuery(params.flowId));
  },
  component: lazyRouteComponent(() => import("./pages/flow"), "FlowPage"),
});

const flowOverview = createRoute({
  getParentRoute: () => flow,
  path: "/",
  loader: ({ context, params }) => {
    void context.queries.prefetchQuery(flowHistoryQuery(params.flowId));
  },
  component: lazyRouteComponent(() => import("./pages/flow/overview"), "FlowOverview"),
});

const flowRuns = createRoute({
  getParentRoute: () => flow,
  path: "runs",
  validateSearch: (search: Record<string, unknown>): { show?: string } => ({ show: text(search.show) }),
  component: lazyRouteComponent(() => import("./pages/flow/runs"), "FlowRuns"),
});

const flowTasks = createRoute({
  getParentRoute: () => flow,
  path: "tasks",
  validateSearch: (search: Record<string, unknown>): { sort?: TaskSort } => ({ sort: parseTaskSort(search.sort) }),
  loader: ({ context, params }) => {
    void context.queries.prefetchQuery(flowTasksQuery(params.flowId));
  },
  component: lazyRouteComponent(() => import("./pages/flow/tasks"), "FlowTasksPage"),
});

const flowVersions = createRoute({
  getParentRoute: () => flow,
  path: "versions",
  validateSearch: (search: Record<string, unknown>): { before?: number; after?: number } => ({
    before: parseVersion(search.before),
    after: parseVersion(search.after),
  }),
  component: lazyRouteComponent(() => import("./pages/flow/versions"), "FlowVersions"),
});

const flowSchedules = createRoute({
  getParentRoute: () => flow,
  path: "schedules",
  component: lazyRouteComponent(() => import("./pages/flow/schedules"), "FlowSchedules"),
});

const flowSettings = createRoute({
  getParentRoute: () => flow,
  path: "settings",
  component: lazyRouteComponent(() => import("./pages/flow/settings"), "FlowSettings"),
});

const runForm = createRoute({
  getParentRoute: () => app,
  path: "/flows/$flowId/run",
  validateSearch: (search: Record<string, unknown>): { from?: string } => ({ from: text(search.from) }),
  loader: ({ context, params }) => {
    void context.queries.prefetchQuery(flowQuery(params.flowId));
  },
  component: lazyRouteComponent(() => import("./pages/run-form"), "RunFormPage"),
});

const agents = createRoute({
  getParentRoute: () => app,
  path: "/agents",
  validateSearch: (search: Record<string, unknown>): MatchSearch & { show?: string; q?: string } => ({
    show: text(search.show),
    q: text(search.q),
    ...parseMatchSearch(search),
  }),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => {
    void context.queries.prefetchQuery(agentsQuery);
    if (deps.test) void context.queries.prefetchQuery(agentMatchQuery(viewOf(deps)));
  },
  component: lazyRouteComponent(() => import("./pages/agents"), "AgentsPage"),
});

const agent = createRoute({
  getParentRoute: () => app,
  path: "/agents/$agentId",
  loader: ({ context, params }) => {
    void context.queries.prefetchQuery(agentQuery(params.agentId));
  },
  component: lazyRouteComponent(() => import("./pages/agent"), "AgentPage"),
});

const automations = createRoute({
  getParentRoute: () => app,
  path: "/automations",
  loader: ({ context }) => {
    void context.queries.prefetchQuery(automationsQuery);
  },
  component: lazyRouteComponent(() => import("./pages/automations"), "AutomationsPage"),
});

const automation = createRoute({
  getParentRoute: () => app,
  path: "/automations/$automationId",
  loader: ({ context, params }) => {
    void context.queries.prefetchQuery(automationQuery(params.automationId));
  },
  component: lazyRouteComponent(() => import("./pages/automation"), "AutomationPage"),
});

const limits = createRoute({
  getParentRoute: () => app,
  path: "/limits",
  loader: ({ context }) => {
    void context.queries.prefetchQuery(limitsQuery);
  },
  component: lazyRouteComponent(() => import("./pages/limits"), "LimitsPage"),
});

const secrets = createRoute({
  getParentRoute: () => app,
  path: "/secrets",
  loader: ({ context }) => {
    void context.queries.prefetchQuery(secretsQuery);
  },
  component: lazyRouteComponent(() => import("./pages/secrets"), "SecretsPage"),
});

const inbox = createRoute({
  getParentRoute: () => app,
  path: "/inbox",
  loader: ({ context }) => {
    void context.queries.prefetchQuery(knownFailuresQuery);
  },
  component: lazyRouteComponent(() => import("./pages/inbox"), "InboxPage"),
});

const jobs = createRoute({
  getParentRoute: () => app,
  path: "/jobs",
  loader: ({ context }) => {
    void context.queries.prefetchInfiniteQuery(jobsQuery);
  },
  component: lazyRouteComponent(() => import("./pages/jobs"), "JobsPage"),
});

const job = createRoute({
  getParentRoute: () => app,
  path: "/jobs/$jobId",
  loader: ({ context, params }) => {
    void context.queries.prefetchQuery(jobQuery(params.jobId));
  },
  component: lazyRouteComponent(() => import("./pages/job"), "JobPage"),
});

const people = createRoute({
  getParentRoute: () => app,
  path: "/people",
  beforeLoad: () => {
    throw redirect({ to: "/people/users" });
  },
});

const users = createRoute({
  getParentRoute: () => app,
  path: "/people/users",
  loader: ({ context }) => {
    if (isPermitted("users:manage")) void context.queries.prefetchQuery(usersQuery);
  },
  component: lazyRouteComponent(() => import("./pages/people"), "UsersPage"),
});

const tokens = createRoute({
  getParentRoute: () => app,
  path: "/people/tokens",
  loader: ({ context }) => {
    if (isPermitted("tokens:manage")) void context.queries.prefetchQuery(tokensQuery);
  },
  component: lazyRouteComponent(() => import("./pages/people"), "TokensPage"),
});

const storage = createRoute({
  getParentRoute: () => app,
  path: "/system/storage",
  validateSearch: (search: Record<string, unknown>): { project?: string; prefix?: string } => ({
    project: text(search.project),
    prefix: text(search.prefix),
  }),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => {
    if (!isPermitted("results:manage") || !isPermitted("bundles:read")) return;
    void context.queries.prefetchQuery(keptTotalsQuery);
    void context.queries.prefetchInfiniteQuery(bundlesQuery);
    void context.queries.prefetchInfiniteQuery(keptResultsQuery(deps.project ?? "", deps.prefix ?? ""));
  },
  component: lazyRouteComponent(() => import("./pages/storage"), "StoragePage"),
});

function isPermitted(permission: Permission): boolean {
  return currentSession().me?.permissions.includes(permission) ?? false;
}

/** Unknown addresses keep the frame. */
const nowhere = createRoute({ getParentRoute: () => app, path: "$", component: NotFoundPage });

const tree = root.addChildren([
  setup,
  login,
  password,
  app.addChildren([
    home,
    runs,
    run,
    logs,
    flows,
    projects,
    flow.addChildren([flowOverview, flowRuns, flowTasks, flowVersions, flowSchedules, flowSettings]),
    runForm,
    agents,
    agent,
    automations,
    automation,
    limits,
    secrets,
    inbox,
    jobs,
    job,
    people,
    users,
    tokens,
    storage,
    nowhere,
  ]),
]);

export function makeRouter(queries: QueryClient) {
  return createRouter({
    routeTree: tree,
    basepath: BASE,
    context: { queries },
    defaultPreload: "intent",
    defaultPreloadDelay: 65,
    defaultPendingMs: 150,
    defaultErrorComponent: ({ error, reset }) => <Failure error={error as Error} retry={reset} what="This page" />,
    parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
    stringifySearch: (search) => {
      const entries = Object.entries(search).filter(([, value]) => value !== undefined && value !== "");
      const printed = new URLSearchParams(entries.map(([key, value]) => [key, String(value)])).toString();
      return printed && `?${printed}`;
    },
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
