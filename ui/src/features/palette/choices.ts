/** What the command palette offers, in sections. */

import type { ObjectByIdQuery, ObjectsByNameQuery } from "../../api/generated";
import { addressOf } from "../../lib/base";
import { ranked } from "../../lib/fuzzy";
import type { DocsPart, Recent, Scope, Search } from "../../lib/palette";
import type { Shortcut } from "../../lib/shortcuts";
import { lookOf } from "../../lib/states";

export interface Choice {
  id: string;
  label: string;
  detail?: string;
  /** The path of an icon, and the class of its colour. */
  icon?: string;
  family?: string;
  keys?: string;
  /** An address outside of the app, opened in a new tab. */
  href?: string;
  run?: () => void;
}

export interface Section {
  id: string;
  title: string;
  items: readonly Choice[];
}

/** Opens an object of the app, such as `/runs/…`. */
export type Open = (path: string) => void;

const MOST_DOCS = 8;
const MOST_FOUND = 6;
/** They move within a page, which is of no use from here, or open what is open. */
const MOVES: ReadonlySet<string> = new Set(["j", "k", "Enter", "Escape", "/", "x", "Shift X", "Ctrl K", "⌘ K"]);

/** The shortcuts of the page that is open: what can be done there. */
export function fromShortcuts(scopes: readonly { name: string; shortcuts: readonly Shortcut[] }[]): Choice[] {
  return scopes.flatMap(({ name, shortcuts }) =>
    shortcuts
      .filter(({ keys }) => !MOVES.has(keys) && !keys.startsWith("g "))
      .map(({ keys, label, run }) => ({ id: `${name} ${keys}`, label, detail: name, keys, run })),
  );
}

export function fromRecent(recent: readonly Recent[], open: Open): Choice[] {
  const kinds: Record<string, string> = { runs: "run", flows: "flow", agents: "agent" };
  return recent.map(({ path, label }) => ({
    id: `recent ${path}`,
    label,
    detail: kinds[path.split("/")[1] ?? ""] ?? "",
    run: () => open(path),
  }));
}

type Flow = ObjectsByNameQuery["flows"]["items"][number];
type Run = ObjectsByNameQuery["flowRuns"]["items"][number];

function ofFlow(flow: Flow, open: Open): Choice {
  const path = `/flows/${flow.id}`;
  return { id: path, label: flow.name, detail: `flow in ${flow.project.name}`, run: () => open(path) };
}

function ofRun(run: Run, open: Open): Choice {
  const look = lookOf(run.state);
  const path = `/runs/${run.id}`;
  const detail = `run, ${look.word}`;
  return {
    id: path,
    label: `${run.flow.name} ${run.name}`,
    detail,
    icon: look.icon,
    family: look.family,
    run: () => open(path),
  };
}

export function ofAgent(agent: { id: string; name: string }, open: Open): Choice {
  const path = `/agents/${agent.id}`;
  return { id: path, label: agent.name, detail: "agent", run: () => open(path) };
}

export function fromNames(found: ObjectsByNameQuery | undefined, open: Open): Choice[] {
  if (!found) return [];
  return [
    ...found.flows.items.map((flow) => ofFlow(flow, open)),
    ...found.flowRuns.items.map((run) => ofRun(run, open)),
  ];
}

export function fromId(found: ObjectByIdQuery | undefined, open: Open): Choice[] {
  if (!found) return [];
  return [
    ...(found.flowRun ? [ofRun(found.flowRun, open)] : []),
    ...(found.flow ? [ofFlow(found.flow, open)] : []),
    ...(found.agent ? [ofAgent(found.agent, open)] : []),
  ];
}

/** A form for each flow that was found. */
export function toRun(found: ObjectsByNameQuery | undefined, open: Open): Choice[] {
  return (found?.flows.items ?? []).slice(0, MOST_FOUND / 2).map((flow) => ({
    id: `run ${flow.id}`,
    label: `Run ${flow.name}…`,
    detail: flow.project.name,
    run: () => open(`/flows/${flow.id}/run`),
  }));
}

/** Parts whose title fits, then those whose text does. */
export function fromDocs(parts: readonly DocsPart[] | undefined, words: string): Choice[] {
  if (!parts || !words) return [];
  const titled = ranked(parts, words, ({ title }) => title);
  const lower = words.toLowerCase();
  const mentioned = parts.filter((part) => !titled.includes(part) && part.text.toLowerCase().includes(lower));
  return [...titled, ...mentioned].slice(0, MOST_DOCS).map(({ location, title }) => ({
    id: `docs ${location}`,
    label: title.replace(/<[^>]*>/g, ""), // mkdocs leaves the markup of labels in
    detail: location.split("/")[0] || "index",
    href: addressOf(`/docs/${location}`),
  }));
}

const SHOWN: Record<Scope, readonly string[]> = {
  all: ["recent", "id", "do", "go", "objects", "run", "people", "secrets", "settings", "help"],
  commands: ["do", "go", "settings"],
  ids: ["id"],
  people: ["people"],
  docs: ["help"],
};
/** These have been searched already, by the server or by their text. */
const FOUND: ReadonlySet<string> = new Set(["id", "objects", "run", "help"]);

/** The sections with those choices that fit the search, without empty ones. */
export function fitting(sections: readonly Section[], { scope, words }: Search): Section[] {
  const order = /^run\s/i.test(words) && scope === "all" ? new Set(["run", ...SHOWN.all]) : SHOWN[scope];
  return [...order]
    .flatMap((id) => sections.filter((section) => section.id === id))
    .filter(({ id }) => (words === "" ? id !== "settings" : id !== "recent"))
    .map((section) => ({
      ...section,
      items: FOUND.has(section.id)
        ? section.items
        : ranked(section.items, words, ({ label, detail }) => `${label} ${detail ?? ""}`).slice(
            0,
            words ? MOST_FOUND : 20,
          ),
    }))
    .filter(({ items }) => items.length > 0);
}
