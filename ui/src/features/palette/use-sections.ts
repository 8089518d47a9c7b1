import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useDeferredValue } from "react";
import { agentsQuery } from "../../api/agents";
import { docsQuery } from "../../api/docs";
import { objectByIdQuery, objectsByNameQuery } from "../../api/palette";
import { usersQuery } from "../../api/people";
import { savedViewsQuery } from "../../api/saved-views";
import { secretsQuery } from "../../api/secrets";
import { signOut } from "../../api/session";
import type { Search } from "../../lib/palette";
import { searchOf } from "../../lib/saved-views";
import { shownShortcuts } from "../../ui/shortcuts";
import { chooseTheme } from "../../ui/theme";
import { toastError } from "../../ui/toasts";
import type { SiteDialog } from "../home/site-dialogs";
import { useMay, useWriting } from "../session/permissions";
import {
  type Choice,
  fitting,
  fromDocs,
  fromId,
  fromNames,
  fromRecent,
  fromShortcuts,
  type Open,
  ofAgent,
  type Section,
  toRun,
} from "./choices";
import { recentObjects } from "./recent";

interface Doors {
  open: Open;
  openDialog: (dialog: SiteDialog) => void;
  searchDocs: () => void;
}

/** A page of the navigation. */
export interface Destination {
  to: string;
  label: string;
  keys: string;
}

/** Everything that fits what was typed, and whether the server has yet to answer. */
export function useSections(search: Search, pages: readonly Destination[], doors: Doors) {
  const { open } = doors;
  const writing = useWriting();
  const asksServer = search.scope === "all" && !search.id;
  const name = asksServer ? search.names : "";
  const asked = useDeferredValue(name);
  const names = useQuery(objectsByNameQuery(asked));
  const ids = useQuery(objectByIdQuery(search.id));
  const docs = useQuery({ ...docsQuery, enabled: search.scope === "docs" });
  const people = useLists(search, open);
  const isWaiting = asked !== name || names.isFetching || ids.isFetching || docs.isFetching;
  const found = name ? names.data : undefined;
  const sections: Section[] = [
    { id: "recent", title: "Recent", items: fromRecent(recentObjects(), open) },
    { id: "id", title: "With this ID", items: fromId(search.id ? ids.data : undefined, open) },
    { id: "run", title: "Run a flow", items: writing.allowed ? toRun(found, open) : [] },
    { id: "do", title: "Do", items: [...fromShortcuts(shownShortcuts()), ...useSiteCommands(doors)] },
    { id: "go", title: "Go to", items: [...pages.map((page) => toPage(page, open)), ...useSavedViews()] },
    { id: "objects", title: "Flows and runs", items: fromNames(found, open) },
    ...people,
    { id: "settings", title: "Settings", items: SETTINGS },
    { id: "help", title: "Documentation", items: isWaiting || search.id ? [] : help(search, docs.data, doors) },
  ];
  return { sections: fitting(sections, search), isWaiting, problem: names.error ?? ids.error ?? docs.error };
}

/** What is asked for as a whole: agents, and for those who may see them, users and secrets. */
function useLists({ scope, words, id }: Search, open: Open): Section[] {
  const may = useMay();
  const isSearching = scope === "all" && words !== "" && id === "";
  const agents = useQuery({ ...agentsQuery, enabled: isSearching });
  const users = useQuery({ ...usersQuery, enabled: may("users:manage") && (isSearching || scope === "people") });
  const secrets = useQuery({ ...secretsQuery, enabled: may("secrets:read") && isSearching });
  const toPeople = (users.data ?? []).map(({ id: user, username, role }) => ({
    id: `user ${user}`,
    label: username,
    detail: role,
    run: () => open("/people/users"),
  }));
  const toSecrets = (secrets.data ?? []).map((secret) => ({
    id: `secret ${secret.id}`,
    label: secret.name,
    detail: "secret",
    run: () => open("/secrets"),
  }));
  return [
    ...(isSearching
      ? [{ id: "people", title: "Agents", items: (agents.data?.agents ?? []).map((agent) => ofAgent(agent, open)) }]
      : []),
    { id: "people", title: "People", items: toPeople },
    { id: "secrets", title: "Secrets", items: toSecrets },
  ];
}

function toPage({ to, label, keys }: Destination, open: Open): Choice {
  return { id: `page ${to}`, label, keys, run: () => open(to) };
}

function useSavedViews(): Choice[] {
  const navigate = useNavigate();
  const { data: views = [] } = useQuery(savedViewsQuery);
  return views.map((view) => ({
    id: `view ${view.id}`,
    label: view.name,
    detail: "saved view",
    run: () => void navigate({ to: "/runs", search: searchOf(view) }),
  }));
}

function useSiteCommands({ openDialog }: Doors): Choice[] {
  const may = useMay();
  const writing = useWriting();
  if (!writing.allowed) return [];
  const pause = { id: "pause", label: "Pause all starts…", detail: "Site", run: () => openDialog("pause") };
  const stop = { id: "stop", label: "Stop all runs…", detail: "Site", run: () => openDialog("stop") };
  return [...(may("maintenance:manage") ? [pause] : []), ...(may("runs:bulk") && may("runs:cancel") ? [stop] : [])];
}

const SETTINGS: readonly Choice[] = [
  { id: "theme light", label: "Light theme", run: () => chooseTheme("light") },
  { id: "theme dark", label: "Dark theme", run: () => chooseTheme("dark") },
  { id: "theme system", label: "Same theme as the system", run: () => chooseTheme("system") },
  { id: "sign out", label: "Sign out", run: () => void signOut().catch(toastError) },
];

function help({ scope, words }: Search, parts: Parameters<typeof fromDocs>[0], { searchDocs }: Doors): Choice[] {
  if (scope === "docs") return fromDocs(parts, words);
  return words
    ? [{ id: "search docs", label: `Search the documentation for “${words}”`, keys: "?", run: searchDocs }]
    : [];
}
