/** The sentence of an automation: its words, and the form in which it is written. */

import { type Json, printJson } from "./json";
import { readParameters } from "./schedule-form";

export const EVENTS = {
  run: [
    ["run.failed", "fails"],
    ["run.crashed", "crashes"],
    ["run.timed_out", "times out"],
    ["run.crash_loop", "crashes for the third time in a row"],
    ["run.late", "is late"],
    ["run.no_slot", "is late because it waits for a slot"],
    ["run.no_agent", "is late because no agent takes it"],
    ["run.cancelled", "is cancelled"],
    ["run.succeeded", "succeeds"],
  ],
  schedule: [["schedule.skipped", "skips due times"]],
  agent: [
    ["agent.lost", "is lost"],
    ["agent.returned", "is back"],
  ],
  appliance: [
    ["appliance.disk_low", "runs low on disk space"],
    ["appliance.disk_recovered", "has enough disk space again"],
    ["appliance.damaged", "finds damage in its database"],
  ],
} as const;

export type Subject = keyof typeof EVENTS;

export const SUBJECTS: readonly { value: Subject; text: string }[] = [
  { value: "run", text: "a run" },
  { value: "schedule", text: "a schedule" },
  { value: "agent", text: "an agent" },
  { value: "appliance", text: "the appliance" },
];

export const KINDS = [
  { value: "WEBHOOK", text: "call a webhook" },
  { value: "EMAIL", text: "send an e-mail" },
  { value: "SLACK", text: "post to Slack or Mattermost" },
  { value: "TEAMS", text: "post to Teams" },
  { value: "SYSLOG", text: "write to syslog" },
  { value: "PAGERDUTY", text: "trigger PagerDuty" },
  { value: "ALERTMANAGER", text: "alert Alertmanager" },
  { value: "RESTART", text: "restart it" },
  { value: "CANCEL", text: "cancel it" },
  { value: "PAUSE_SCHEDULE", text: "pause its schedule" },
  { value: "PAUSE_FLOW", text: "pause its flow" },
  { value: "START", text: "start a run" },
  { value: "SET_LIMIT", text: "set a limit" },
] as const;

export type Kind = (typeof KINDS)[number]["value"];

const ACTS: ReadonlySet<Kind> = new Set(["RESTART", "CANCEL", "PAUSE_SCHEDULE", "PAUSE_FLOW", "START", "SET_LIMIT"]);
const OF_RUNS: ReadonlySet<Kind> = new Set(["RESTART", "CANCEL"]);
const OF_FLOWS: ReadonlySet<Kind> = new Set(["PAUSE_SCHEDULE", "PAUSE_FLOW"]);
const ENDED = ["run.failed", "run.crashed", "run.timed_out", "run.cancelled", "run.crash_loop"];
const WAITING = ["run.late", "run.no_slot", "run.no_agent"];

/** Whether it changes something here, rather than send a message. */
export function acts(kind: Kind): boolean {
  return ACTS.has(kind);
}

/** The actions for what happens to these. */
export function kindsFor(subject: Subject): readonly { value: Kind; text: string }[] {
  const hasFlow = subject === "run" || subject === "schedule";
  return KINDS.filter(({ value }) => (!OF_RUNS.has(value) || subject === "run") && (!OF_FLOWS.has(value) || hasFlow));
}

export const PERIODS: readonly { value: string; text: string }[] = [
  { value: "900", text: "15 minutes" },
  { value: "3600", text: "hour" },
  { value: "86400", text: "day" },
];

interface Action {
  kind: Kind;
  url: string;
  secret: string;
  to: string[];
  text: string;
  flow: string;
  parameters: unknown;
  labels: string[] | null;
  runName: string;
  tag: string;
  slots: number | null;
}

/** What the server takes. */
export interface AutomationInput {
  name: string;
  events: string[];
  q: string;
  action: Action;
  atMost: number;
  per: number;
  unlessKnown: boolean;
  unlessMaintenance: boolean;
}

/** What is written in the form: addresses as one text, numbers as they were typed. */
export interface Draft {
  name: string;
  subject: Subject;
  events: readonly string[];
  q: string;
  kind: Kind;
  url: string;
  secret: string;
  to: string;
  text: string;
  flow: string;
  parameters: string;
  labels: string;
  runName: string;
  tag: string;
  slots: string;
  atMost: string;
  per: string;
  unlessKnown: boolean;
  unlessMaintenance: boolean;
}

export const NEW: Draft = {
  name: "",
  subject: "run",
  events: ["run.failed", "run.crashed", "run.timed_out"],
  q: "",
  kind: "WEBHOOK",
  url: "",
  secret: "",
  to: "",
  text: "",
  flow: "",
  parameters: "{}",
  labels: "",
  runName: "",
  tag: "",
  slots: "",
  atMost: "",
  per: "3600",
  unlessKnown: true,
  unlessMaintenance: false,
};

/** The form of an automation that exists. */
export function draftOf(automation: AutomationInput): Draft {
  const { name, events, q, action, atMost, per, unlessKnown, unlessMaintenance } = automation;
  return {
    name,
    subject: (events[0]?.split(".")[0] ?? "run") as Subject,
    events,
    q,
    kind: action.kind,
    url: action.url,
    secret: action.secret,
    to: action.to.join(", "),
    text: action.text,
    flow: action.flow,
    parameters: printJson(action.parameters as Json),
    labels: (action.labels ?? []).join(", "),
    runName: action.runName,
    tag: action.tag,
    slots: action.slots === null ? "" : String(action.slots),
    atMost: atMost ? String(atMost) : "",
    per: String(per),
    unlessKnown,
    unlessMaintenance,
  };
}

export function inputOf(draft: Draft): AutomationInput {
  return {
    name: draft.name.trim(),
    events: [...draft.events],
    q: draft.q,
    action: actionOf(draft),
    atMost: Number(draft.atMost || "0"),
    per: Number(draft.per),
    unlessKnown: draft.unlessKnown,
    unlessMaintenance: draft.unlessMaintenance,
  };
}

/** The action with the fields of its kind alone: what was typed for another one stays in the form. */
function actionOf(draft: Draft): Action {
  const { kind } = draft;
  const isMail = kind === "EMAIL";
  const sends = !isMail && !acts(kind);
  const isStart = kind === "START";
  const parameters = readParameters(draft.parameters);
  return {
    kind,
    url: sends ? draft.url.trim() : "",
    secret: sends && kind !== "SYSLOG" ? draft.secret.trim() : "",
    to: isMail ? addressesIn(draft.to) : [],
    text: draft.text.trim(),
    flow: isStart ? draft.flow.trim() : "",
    parameters: isStart && parameters.ok ? parameters.value : {},
    labels: isStart && draft.labels.trim() ? draft.labels.split(",").map((label) => label.trim()) : null,
    runName: isStart ? draft.runName.trim() : "",
    tag: kind === "SET_LIMIT" ? draft.tag.trim() : "",
    slots: kind === "SET_LIMIT" ? Number(draft.slots) : null,
  };
}

function addressesIn(text: string): string[] {
  return text.split(/[\s,;]+/).filter(Boolean);
}

/** The first thing that is missing, in a sentence; empty if nothing is. */
export function missing(draft: Draft): string {
  if (!draft.name.trim()) return "Give the automation a name.";
  if (draft.events.length === 0) return "Choose what has to happen.";
  if (draft.atMost && !/^\d{1,4}$/.test(draft.atMost)) return "Enter how often at most, as a whole number.";
  return acts(draft.kind) ? missingToAct(draft) : missingToSend(draft);
}

function missingToAct(draft: Draft): string {
  const { kind, events } = draft;
  if (kind === "RESTART" && !events.every((event) => ENDED.includes(event)))
    return "Only what has ended can be restarted, and not what has succeeded.";
  if (kind === "CANCEL" && !events.every((event) => WAITING.includes(event)))
    return "Only what waits can be cancelled.";
  if (kind === "START" && !/^[^/]+\/.+$/.test(draft.flow.trim())) return "Name the flow as project/NAME.";
  const parameters = readParameters(draft.parameters);
  if (kind === "START" && !parameters.ok) return `Parameters: ${parameters.error}`;
  if (kind === "SET_LIMIT" && !draft.tag.trim()) return "Name the tag.";
  if (kind === "SET_LIMIT" && !/^\d{1,6}$/.test(draft.slots)) return "Enter the slots, as a whole number.";
  if (!Number(draft.atMost)) return "Enter how often at most: an automation that changes something needs a bound.";
  return "";
}

function missingToSend(draft: Draft): string {
  if (draft.kind === "EMAIL" && addressesIn(draft.to).length === 0) return "Enter an address.";
  if (draft.kind === "PAGERDUTY" && !draft.secret.trim()) return "Name the secret with the routing key.";
  const isChat = draft.kind === "SLACK" || draft.kind === "TEAMS";
  const hasUrl = draft.url.trim() || draft.kind === "EMAIL" || draft.kind === "PAGERDUTY";
  return hasUrl || (isChat && draft.secret.trim()) ? "" : "Enter the URL.";
}

/** The words for an event in a list, such as "run fails". */
export function eventWords(event: string): string {
  const subject = event.split(".")[0] as Subject;
  const words = EVENTS[subject]?.find(([name]) => name === event)?.[1];
  return words ? `${subject} ${words}` : event;
}

/** What can be said of secrets beside the URL, for each kind of action. */
export const SECRET_HELP: Partial<Record<Kind, string>> = {
  WEBHOOK: "A secret as project/NAME that signs the request; empty: it is not signed.",
  SLACK: "A secret as project/NAME that holds the URL, in place of the URL above.",
  TEAMS: "A secret as project/NAME that holds the URL, in place of the URL above.",
  PAGERDUTY: "A secret as project/NAME that holds the routing key.",
};

export const URL_HELP: Partial<Record<Kind, string>> = {
  SYSLOG: "udp://host:514, tcp://host:601, or unix:///dev/log",
  PAGERDUTY: "Empty: PagerDuty's own.",
  ALERTMANAGER: "It ends with /api/v2/alerts.",
};
