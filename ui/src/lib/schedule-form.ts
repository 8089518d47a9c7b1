/** The form of a schedule: its texts, what they change, and what an operator has changed of what the code declares. */

import { type Reading, read, toField } from "./form-model";
import { type Json, printJson } from "./json";
import { type CatchUp, type Overlap, type Policy, readCount, readWindow, windowText } from "./schedules";

export const MOST_CAUGHT_UP = 10_000;

type Document = { [key: string]: Json };

/** A field that an operator has changed: its value, and the one that the code declares. */
export interface Edit {
  field: string;
  value: unknown;
  code: unknown;
}

export interface Editable extends Policy {
  kind: string;
  document: unknown;
  timezone: string;
  parameters: unknown;
  labels: readonly string[];
}

export interface PolicyTexts {
  catchUp: CatchUp;
  cap: string;
  minutes: string;
  overlap: Overlap;
}

export interface ScheduleTexts extends PolicyTexts {
  kind: string;
  cron: string;
  days: "either" | "both";
  seconds: string;
  timezone: string;
  parameters: string;
  labels: string;
}

/** What is sent to change a schedule; what stays as it is is left out. */
export interface ScheduleChanges extends Partial<Policy> {
  document?: Document;
  parameters?: Json;
  labels?: string[];
}

const PARAMETERS = toField({ name: "parameters", required: true, default: null, schema: { type: "object" } });
const OWN_FIELDS: Record<string, readonly string[]> = {
  cron: ["cron", "day_or"],
  interval: ["seconds", "anchor"],
  dates: ["dates"],
  rrule: ["rrule", "anchor"],
};

export function textsOf(schedule: Editable): ScheduleTexts {
  const document = schedule.document as Document;
  return {
    kind: schedule.kind,
    cron: String(document.cron ?? ""),
    days: document.day_or === false ? "both" : "either",
    seconds: document.seconds === undefined ? "" : String(document.seconds),
    timezone: schedule.timezone,
    parameters: printJson(schedule.parameters ?? {}, 2),
    labels: schedule.labels.join(", "),
    catchUp: schedule.catchUp,
    cap: String(schedule.catchUpCap),
    minutes: windowText(schedule.catchUpWindow),
    overlap: schedule.overlap,
  };
}

export function readParameters(text: string): Reading {
  return read(PARAMETERS, text);
}

export function readSeconds(text: string): number | null {
  const seconds = Number(text);
  return text.trim() !== "" && Number.isFinite(seconds) && seconds >= 1 ? seconds : null;
}

/** What the texts change, or null while one of them is invalid. The server checks the cron expression and the time zone. */
export function changesOf(schedule: Editable, texts: ScheduleTexts): ScheduleChanges | null {
  const before = textsOf(schedule);
  const parameters = readParameters(texts.parameters);
  const cap = readCount(texts.cap, MOST_CAUGHT_UP);
  const window = readWindow(texts.minutes);
  const invalid =
    (texts.kind === "cron" && !texts.cron.trim()) ||
    (texts.kind === "interval" && readSeconds(texts.seconds) === null) ||
    !texts.timezone.trim();
  if (invalid || !parameters.ok || cap === null || window === null) return null;
  const changes: ScheduleChanges = {};
  const times = ["kind", "cron", "days", "seconds", "timezone"] as const;
  if (times.some((name) => texts[name] !== before[name])) changes.document = documentOf(schedule, texts);
  if (texts.parameters !== before.parameters) changes.parameters = parameters.value;
  if (texts.labels !== before.labels) changes.labels = labelsOf(texts.labels);
  if (texts.catchUp !== schedule.catchUp) changes.catchUp = texts.catchUp;
  if (cap !== schedule.catchUpCap) changes.catchUpCap = cap;
  if (texts.minutes !== before.minutes) changes.catchUpWindow = window;
  if (texts.overlap !== schedule.overlap) changes.overlap = texts.overlap;
  return changes;
}

/** The schedule's document with its new times. All else in it stays, except what belongs to a kind that it no longer has. */
function documentOf(schedule: Editable, texts: ScheduleTexts): Document {
  const document: Document = { ...(schedule.document as Document), kind: texts.kind, timezone: texts.timezone.trim() };
  if (texts.kind !== schedule.kind) for (const name of OWN_FIELDS[schedule.kind] ?? []) delete document[name];
  if (texts.kind === "cron") document.cron = texts.cron.trim();
  if (texts.kind === "cron" && (texts.days === "both" || "day_or" in document))
    document.day_or = texts.days === "either";
  if (texts.kind === "interval") document.seconds = readSeconds(texts.seconds) as number;
  return document;
}

function labelsOf(text: string): string[] {
  return [
    ...new Set(
      text
        .split(",")
        .map((label) => label.trim())
        .filter(Boolean),
    ),
  ];
}

const WORDS: Record<string, string> = {
  times: "the times",
  cron: "the cron expression",
  day_or: "how the day fields combine",
  seconds: "the interval in seconds",
  timezone: "the time zone",
  catch_up: "the catch-up policy",
  catch_up_cap: "the catch-up cap",
  catch_up_window: "the catch-up window in seconds",
  overlap: "the overlap policy",
};

/** `the cron expression is 0 5 * * *; the code says 0 2 * * *` */
export function editInWords({ field, value, code }: Edit): string {
  const [part, key = ""] = [field.split(".", 1)[0] ?? "", field.slice(field.indexOf(".") + 1)];
  if (part === "labels") return `label ${key} was ${value === true ? "added" : "removed"}`;
  const name = part === "parameters" ? `parameter ${key}` : (WORDS[field] ?? field.replaceAll("_", " "));
  return `${name} ${name === "the times" ? "are" : "is"} ${inWords(value)}; the code says ${inWords(code)}`;
}

function inWords(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  const text = typeof value === "string" ? value : printJson(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
