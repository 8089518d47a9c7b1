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
  /** One a line. */
  dates: string;
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

/** A new schedule before anything was typed; its times are on the clock of the zone. */
export function blankSchedule(timezone: string): Editable {
  return {
    kind: "cron",
    document: { kind: "cron", cron: "0 6 * * *", timezone },
    timezone,
    parameters: {},
    labels: [],
    catchUp: "latest",
    catchUpCap: 100,
    catchUpWindow: null,
    overlap: "allow",
  };
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
    dates: Array.isArray(document.dates) ? document.dates.join("\n") : "",
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

/** One date per line, each with a time: `2026-12-24 06:00` is on the clock of the schedule's zone. The server checks them. */
export function readDates(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim().replace(/^(\d{4}-\d\d-\d\d) +(?=\d)/, "$1T"))
    .filter(Boolean);
}

const TIMES = ["kind", "cron", "days", "seconds", "dates", "timezone"] as const;

/** What the texts change, or null while one of them is invalid. The server checks the cron expression and the time zone. */
export function changesOf(schedule: Editable, texts: ScheduleTexts): ScheduleChanges | null {
  const before = textsOf(schedule);
  const parameters = readParameters(texts.parameters);
  const cap = readCount(texts.cap, MOST_CAUGHT_UP);
  const window = readWindow(texts.minutes);
  const invalid =
    (texts.kind === "cron" && !texts.cron.trim()) ||
    (texts.kind === "interval" && readSeconds(texts.seconds) === null) ||
    (texts.kind === "dates" && readDates(texts.dates).length === 0) ||
    !texts.timezone.trim();
  if (invalid || !parameters.ok || cap === null || window === null) return null;
  const changes: ScheduleChanges = {};
  if (TIMES.some((name) => texts[name] !== before[name])) changes.document = documentOf(schedule, texts);
  if (texts.parameters !== before.parameters) changes.parameters = parameters.value;
  if (texts.labels !== before.labels) changes.labels = labelsOf(texts.labels);
  if (texts.catchUp !== schedule.catchUp) changes.catchUp = texts.catchUp;
  if (cap !== schedule.catchUpCap) changes.catchUpCap = cap;
  if (texts.minutes !== before.minutes) changes.catchUpWindow = window;
  if (texts.overlap !== schedule.overlap) changes.overlap = texts.overlap;
  return changes;
}

/** The whole schedule as its texts describe it, for a preview; null while one of them is invalid. */
export function contentOf(schedule: Editable, texts: ScheduleTexts): { document: Document; parameters: Json } | null {
  const parameters = readParameters(texts.parameters);
  if (changesOf(schedule, texts) === null || !parameters.ok) return null;
  return { document: { ...documentOf(schedule, texts), overlap: texts.overlap }, parameters: parameters.value };
}

/** A whole new schedule as it is sent, or null while one of the texts is invalid. */
export function newSchedule(texts: ScheduleTexts): Required<Omit<ScheduleChanges, "labels">> | null {
  const blank = blankSchedule(texts.timezone);
  const content = contentOf(blank, texts);
  const [cap, window] = [readCount(texts.cap, MOST_CAUGHT_UP), readWindow(texts.minutes)];
  if (content === null || cap === null || window === null) return null;
  return {
    document: { ...documentOf(blank, texts), labels: labelsOf(texts.labels) },
    parameters: content.parameters,
    catchUp: texts.catchUp,
    catchUpCap: cap,
    catchUpWindow: window || null,
    overlap: texts.overlap,
  };
}

const FIELDS: Record<keyof ScheduleTexts, string> = {
  kind: "how it is due",
  cron: "the cron expression",
  days: "how the day fields combine",
  seconds: "the interval in seconds",
  dates: "the dates",
  timezone: "the time zone",
  parameters: "the parameters",
  labels: "the labels",
  catchUp: "the catch-up policy",
  cap: "the catch-up cap",
  minutes: "the catch-up window in minutes",
  overlap: "the overlap policy",
};

/** A field that somebody else has changed while it was open in a form. */
export interface Difference {
  field: string;
  before: string;
  now: string;
  /** What the form says, if it was changed there as well. */
  own: string | null;
}

/** What somebody else changed between two versions, and what the form has for it. */
export function differencesOf(seen: Editable, theirs: Editable, texts: ScheduleTexts): Difference[] {
  const [before, now] = [textsOf(seen), textsOf(theirs)];
  return keys(before)
    .filter((name) => before[name] !== now[name])
    .map((name) => {
      const isOwn = texts[name] !== before[name] && texts[name] !== now[name];
      return { field: FIELDS[name], before: before[name], now: now[name], own: isOwn ? texts[name] : null };
    });
}

/** The form on top of somebody else's edit: what was changed in it stays, all else follows them. */
export function rebased(seen: Editable, theirs: Editable, texts: ScheduleTexts): ScheduleTexts {
  const [before, now] = [textsOf(seen), textsOf(theirs)];
  const own = keys(before).filter((name) => texts[name] !== before[name]);
  return { ...now, ...Object.fromEntries(own.map((name) => [name, texts[name]])) };
}

const keys = (texts: ScheduleTexts) => Object.keys(texts) as (keyof ScheduleTexts)[];

/** The schedule's document with its new times. All else in it stays, except what belongs to a kind that it no longer has. */
function documentOf(schedule: Editable, texts: ScheduleTexts): Document {
  const document: Document = { ...(schedule.document as Document), kind: texts.kind, timezone: texts.timezone.trim() };
  if (texts.kind !== schedule.kind) for (const name of OWN_FIELDS[schedule.kind] ?? []) delete document[name];
  if (texts.kind === "cron") document.cron = texts.cron.trim();
  if (texts.kind === "cron" && (texts.days === "both" || "day_or" in document))
    document.day_or = texts.days === "either";
  if (texts.kind === "dates") document.dates = readDates(texts.dates);
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
