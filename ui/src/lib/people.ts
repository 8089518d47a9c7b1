/** Users and tokens in words. */

import { counted } from "./counted";

export type Role = "viewer" | "operator" | "admin";
export type Scope = "user" | "agent";

export const ROLES: readonly { id: Role; word: string; help: string }[] = [
  { id: "viewer", word: "Viewer", help: "Sees everything except people and tokens; changes nothing." },
  {
    id: "operator",
    word: "Operator",
    help: "Also starts, stops and changes runs, flows, schedules, limits and secrets.",
  },
  { id: "admin", word: "Admin", help: "Also manages people, tokens, maintenance and the disk, and deletes flows." },
];

export const SCOPES: readonly { id: Scope; word: string; help: string }[] = [
  { id: "user", word: "User", help: "For programs and the command line: may do what its user may do." },
  {
    id: "agent",
    word: "Agent",
    help: "For one agent, the first that enrols with it: starts runs, and can do nothing else.",
  },
];

export function wordOf<Id extends string>(choices: readonly { id: Id; word: string }[], id: Id): string {
  return choices.find((one) => one.id === id)?.word ?? id;
}

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** In seconds; empty: the site's usual time. */
export const LIFETIMES = [
  { value: "", text: "The site's usual time" },
  { value: String(DAY), text: "1 day" },
  { value: String(7 * DAY), text: "7 days" },
  { value: String(30 * DAY), text: "30 days" },
  { value: String(90 * DAY), text: "90 days" },
  { value: String(365 * DAY), text: "365 days" },
] as const;

/** In seconds. */
export const OVERLAPS = [
  { value: "0", text: "Not at all: it ends now" },
  { value: String(HOUR), text: "1 hour" },
  { value: String(DAY), text: "1 day" },
  { value: String(7 * DAY), text: "7 days" },
  { value: String(30 * DAY), text: "30 days" },
] as const;

export const USUAL_OVERLAP = String(DAY);

const SOON = 14 * DAY * 1_000;

/** Whether a token has ended, or ends within 14 days, so that somebody should replace it. */
export function expiryOf(expiresAt: string | null, now: number): "never" | "ended" | "soon" | "later" {
  if (expiresAt === null) return "never";
  const left = Date.parse(expiresAt) - now;
  return left <= 0 ? "ended" : left <= SOON ? "soon" : "later";
}

/** What goes when a user is deleted. */
export function goesWith(sessions: number, tokens: readonly { name: string; scope: Scope }[]): string[] {
  const named = (scope: Scope, noun: string, plural?: string) => {
    const names = tokens.filter((token) => token.scope === scope).map((token) => token.name);
    return names.length > 0 ? [`${counted(names.length, noun, plural)}: ${names.join(", ")}`] : [];
  };
  return [
    "their account and password",
    ...(sessions > 0 ? [`${counted(sessions, "session")} in browsers`] : []),
    ...named("user", "token"),
    ...named("agent", "agent's token", "agents' tokens"),
  ];
}
