/** Agents in words: their state, what is wrong with them, and the command that starts one. */

import { counted } from "./counted";
import type { StateLook } from "./states";
import { formatDuration } from "./time";

export type AgentState = "online" | "late" | "draining" | "quarantined" | "offline";

interface Seen {
  health: string;
  lastSeen: string;
}

export interface Described extends Seen {
  name: string;
  type: string;
  host: string;
  version: string;
  labels: readonly string[];
  projects: readonly string[];
  problems: readonly string[];
  draining: boolean;
  running: number;
}

/** An agent asks for work at least every 30 s; 90 s after its last word, the server takes it for offline. */
export const LATE_AFTER = 45_000;

/** `serverTime` is when the server answered, by its own clock, so that a wrong clock here makes nobody late. */
export function stateOf({ health, lastSeen }: Seen, serverTime: string): AgentState {
  if (health === "online") return Date.parse(serverTime) - Date.parse(lastSeen) > LATE_AFTER ? "late" : "online";
  return health === "draining" || health === "quarantined" ? health : "offline";
}

const PLUG = "M1.5 6H4V3H7M8 9H5V6M10.5 6H8M7 1.5V4.5M5 7.5V10.5";

const LOOKS: Record<AgentState, StateLook> = {
  online: { family: "success", word: "Online", icon: "M2 6.5 5 9.5 10.5 3" },
  late: { family: "attention", word: "Late", icon: "M6 2V7M6 9.4V9.6" },
  draining: { family: "paused", word: "Draining", icon: "M6 1.5V7M3.2 4.6 6 7.4 8.8 4.6M2.5 10.3H9.5" },
  quarantined: { family: "failed", word: "Quarantined", icon: "M2.5 2.5 9.5 9.5M9.5 2.5 2.5 9.5" },
  offline: { family: "neutral", word: "Offline", icon: PLUG },
};

/** An offline agent is only bad news while it has runs. */
export function lookOfAgent(state: AgentState, running: number): StateLook {
  return state === "offline" && running > 0 ? { ...LOOKS.offline, family: "failed" } : LOOKS[state];
}

/** What is wrong with an agent, one sentence each with what to do about it. What the agent says itself comes first. */
export function problemsOf(agent: Described, serverTime: string, serverVersion: string): string[] {
  const state = stateOf(agent, serverTime);
  const silent = formatDuration(Date.parse(serverTime) - Date.parse(agent.lastSeen));
  const problems = [...agent.problems];
  if (state === "late")
    problems.push(`It was last heard from ${silent} ago; look whether its machine and its network are well.`);
  if (state === "offline" && agent.running > 0)
    problems.push(
      `It still has ${counted(agent.running, "run")}; start it again, so that somebody notices when their processes end.`,
    );
  if (state !== "offline" && agent.version && serverVersion && agent.version !== serverVersion)
    problems.push(`Its release is ${agent.version}, the server's ${serverVersion}; install the same one.`);
  return problems;
}

export const SHOWS = [
  { id: "all", label: "All" },
  { id: "online", label: "Online" },
  { id: "draining", label: "Draining" },
  { id: "offline", label: "Offline" },
  { id: "problems", label: "Problems" },
] as const;
export type Show = (typeof SHOWS)[number]["id"];

export interface AgentView {
  show: Show;
  q: string;
}

/** Parses the URL. Unknown values fall back to the default. */
export function parseAgentView(search: { show?: string; q?: string }): AgentView {
  return { show: SHOWS.find(({ id }) => id === search.show)?.id ?? "all", q: (search.q ?? "").slice(0, 200) };
}

/** Writes the URL: only what differs from the default. */
export function printAgentView({ show, q }: AgentView): { show?: string; q?: string } {
  return { show: show === "all" ? undefined : show, q: q.trim() || undefined };
}

/** Whether the view shows the agent: each word of the text is a part of its name, host, type, version, labels, or projects. */
export function isShown(agent: Described, view: AgentView, serverTime: string, serverVersion: string): boolean {
  const state = stateOf(agent, serverTime);
  const texts = [agent.name, agent.host, agent.type, agent.version, ...agent.labels, ...agent.projects];
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.every((word) => texts.some((text) => text.toLowerCase().includes(word)))) return false;
  if (view.show === "online") return state === "online" || state === "late";
  if (view.show === "draining") return agent.draining;
  if (view.show === "offline") return state === "offline";
  return view.show === "all" || problemsOf(agent, serverTime, serverVersion).length > 0;
}

/** Those that are there first, then by name: an order that doesn't change whenever one is heard from. */
export function inOrder<A extends Seen & { name: string }>(agents: readonly A[]): A[] {
  const isAway = (agent: A) => Number(agent.health === "offline");
  return [...agents].sort((a, b) => isAway(a) - isAway(b) || a.name.localeCompare(b.name, "en"));
}

/** `3 online, 1 draining, 2 offline` */
export function summaryOf(agents: readonly Described[], serverTime: string): string {
  const order: AgentState[] = ["online", "late", "draining", "quarantined", "offline"];
  const states = agents.map((agent) => stateOf(agent, serverTime));
  return order
    .map((state) => [states.filter((one) => one === state).length, LOOKS[state].word.toLowerCase()] as const)
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}`)
    .join(", ");
}

const MOST_BLOCKS = 16;

/** How many free slots to draw one by one; null if there are too many slots to count by eye. */
export function freeBlocks({ capacity, running }: { capacity: number; running: number }): number | null {
  return Math.max(capacity, running) > MOST_BLOCKS ? null : Math.max(0, capacity - running);
}

/** How an agent starts runs: as processes of its machine, in containers, or as jobs of a cluster. */
export type AgentKind = "process" | "docker" | "kubernetes";

export const AGENT_KINDS: readonly { value: AgentKind; text: string }[] = [
  { value: "process", text: "Processes on its machine" },
  { value: "docker", text: "Docker containers" },
  { value: "kubernetes", text: "Jobs in Kubernetes" },
];

/** As a shell takes it, in quotes where it needs them. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

export interface NewAgent {
  kind: AgentKind;
  name: string;
  /** In which an agent for containers or jobs starts runs that name none. */
  image: string;
  labels: readonly string[];
  projects: readonly string[];
  capacity: string;
}

/** The command that starts an agent; its token is in a file beside it. */
export function startCommand(agent: NewAgent, url: string): string {
  const options = [
    ["--name", agent.name],
    ...(agent.kind !== "process" ? [["--image", agent.image]] : []),
    ...agent.labels.map((label) => ["--label", label]),
    ...agent.projects.map((project) => ["--project", project]),
    ...(agent.capacity && agent.capacity !== USUAL_CAPACITY ? [["--slots", agent.capacity]] : []),
  ].map(([option, value]) => `${option} ${quoted(value as string)}`);
  const environment = `APPLIANCE_URL=${quoted(url)} APPLIANCE_TOKEN_FILE=${quoted(tokenFile(agent.name))}`;
  return `${environment} \\\n  appliance agent start ${agent.kind} ${options.join(" ")}`;
}

/** The command that writes the token where only its user can read it. */
export function tokenCommand(name: string, token: string): string {
  return `(umask 077; echo ${quoted(token)} > ${quoted(tokenFile(name))})`;
}

function tokenFile(name: string): string {
  return `${name.replaceAll(/[^\w.-]+/g, "-")}.token`;
}

export const USUAL_CAPACITY = "8";

/** The texts between commas, each once. */
export function listIn(text: string): string[] {
  return [
    ...new Set(
      text
        .split(",")
        .map((part) => part.trim())
        .filter(Boolean),
    ),
  ];
}
