/** The question which agent would take a run, and its URL: `/agents?test=1&labels=gpu,big&project=finance&kind=process&storage=git&user=etl&python=3.12`. */

import { listIn } from "./agents";
import { text } from "./paths";

/** All are texts as a person types them; an empty one means any. */
export interface MatchView {
  labels: string;
  project: string;
  kind: string;
  storage: string;
  user: string;
  python: string;
}

export interface MatchSearch {
  test?: "1";
  labels?: string;
  project?: string;
  kind?: string;
  storage?: string;
  user?: string;
  python?: string;
}

export const KINDS = [
  { value: "", text: "Any" },
  { value: "process", text: "Process" },
  { value: "docker", text: "Docker" },
  { value: "kubernetes", text: "Kubernetes" },
] as const;

export const STORAGES = [
  { value: "", text: "Files (local)" },
  { value: "bundle", text: "Bundle" },
  { value: "git", text: "Git" },
  { value: "docker", text: "Image" },
  { value: "module", text: "Python module" },
  { value: "object_store", text: "Object store" },
  { value: "sftp", text: "SFTP" },
  { value: "http", text: "HTTP" },
] as const;

/** What the URL asks for: only texts. */
export function parseMatchSearch(search: Record<string, unknown>): MatchSearch {
  const { labels, project, kind, storage, user, python } = search;
  const asked = {
    labels: text(labels),
    project: text(project),
    kind: text(kind),
    storage: text(storage),
    user: text(user),
    python: text(python),
  };
  const isOpen = search.test === "1" || Object.values(asked).some((value) => value !== undefined);
  return { test: isOpen ? "1" : undefined, ...asked };
}

export function viewOf(search: MatchSearch): MatchView {
  const { labels = "", project = "", kind = "", storage = "", user = "", python = "" } = search;
  return { labels: listIn(labels).join(", "), project, kind, storage, user, python };
}

/** Writes the URL. What runs of any agent or from files have is the default. */
export function printMatch({ labels, project, kind, storage, user, python }: MatchView): MatchSearch {
  return {
    test: "1",
    labels: listIn(labels).join(",") || undefined,
    project: project.trim() || undefined,
    kind: kind === "universal" || !kind ? undefined : kind === "local" ? "process" : kind,
    storage: storage === "local" || !storage ? undefined : storage,
    user: user.trim() || undefined,
    python: python.trim() || undefined,
  };
}

/** The question as the server takes it. */
export function questionOf({ labels, project, kind, storage, user, python }: MatchView) {
  return {
    labels: listIn(labels),
    project: project.trim() || null,
    kind: kind || null,
    storage: storage || null,
    user: user.trim() || null,
    python: python.trim() || null,
  };
}

/** Why a run waits that an agent should have taken. */
export const NO_AGENT_CODES: ReadonlySet<string> = new Set([
  "no_agent",
  "no_kind",
  "no_storage",
  "no_label",
  "no_user",
  "no_python",
  "agents_full",
]);
