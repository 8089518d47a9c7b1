/** The filter of runs as text, such as `state:failed flow:etl-* since:7d`, as far as a page must know it: its tokens. What they mean, and
 * whether they can be used, only the server knows. */

const TOKEN = /(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/g;
const FIELD = /^([A-Za-z_]+(?:\.[^:"]+)?):/;

/** The fields with what they are for, as they are suggested. */
export const FIELDS: readonly { name: string; hint: string }[] = [
  { name: "state", hint: "failed, late, running, waiting…" },
  { name: "flow", hint: "a name, project/flow, or etl-*" },
  { name: "project", hint: "a project" },
  { name: "label", hint: "a label that the run has" },
  { name: "agent", hint: "the agent that took it" },
  { name: "by", hint: "who created it, or schedule" },
  { name: "since", hint: "due at or after: 7d, 2026-01-31" },
  { name: "until", hint: "due before" },
  { name: "started", hint: ">2026-01-31, <7d" },
  { name: "duration", hint: ">10m, <90s" },
  { name: "error", hint: "a part of the message" },
  { name: "version", hint: "a version of the flow" },
  { name: "param", hint: "param.NAME: a value of a parameter" },
  { name: "is", hint: "late, planned, subrun" },
  { name: "parent", hint: "none, or the ID of the run that has started it" },
  { name: "name", hint: "the whole name of a run" },
  { name: "text", hint: "a part of a run's or flow's name" },
];
/** Values that need no server. */
export const PRESETS: Readonly<Record<string, readonly string[]>> = {
  since: ["1h", "6h", "24h", "7d", "30d"],
  until: ["1h", "24h", "7d"],
  started: [">1h", ">24h", ">7d"],
  duration: [">1m", ">10m", ">1h", "<1m"],
  is: ["late", "planned", "subrun"],
  parent: ["none"],
};
/** Fields whose values the server knows. */
export const ASKED: ReadonlySet<string> = new Set([
  "state",
  "flow",
  "project",
  "label",
  "agent",
  "by",
  "version",
  "param",
]);

export function tokensOf(query: string): string[] {
  return query.match(TOKEN) ?? [];
}

/** The field of a token, such as `state` or `param.region`; empty for a plain word. */
export function fieldOf(token: string): string {
  return FIELD.exec(token)?.[1]?.toLowerCase() ?? "";
}

/** The value of a token as it is written. */
export function valueIn(token: string): string {
  return token.slice(FIELD.exec(token)?.[0].length ?? 0);
}

/** A text as the value of a token. */
export function quoted(value: string): string {
  return value === "" || /[\s",\\]/.test(value) ? `"${value.replace(/["\\]/g, "\\$&")}"` : value;
}

/** The query without its tokens of these fields, followed by others. */
export function replaced(query: string, fields: readonly string[], tokens: readonly string[]): string {
  return [...tokensOf(query).filter((token) => !fields.includes(fieldOf(token))), ...tokens].join(" ");
}

/** Whether a token is complete: it has a value, and its quotation marks are closed. */
export function isComplete(token: string): boolean {
  if (fieldOf(token) && !valueIn(token)) return false;
  return (token.replace(/\\./g, "").match(/"/g)?.length ?? 0) % 2 === 0;
}

/** The token that an error is about: the one that the server names, or else the one whose value its sentence quotes. */
export function refusedToken(query: string, error: { message: string; details?: Record<string, unknown> }): string {
  const tokens = tokensOf(query);
  const named = error.details?.token;
  if (typeof named === "string" && tokens.includes(named)) return named;
  const has = (text: string) => error.message.includes(`'${text}'`);
  return tokens.find((token) => fieldOf(token) && valueIn(token).split(",").some(has)) ?? "";
}
