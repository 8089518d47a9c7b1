/** Log records as lines of one fixed height: a record of many lines is many rows. Nothing is ever measured in the page. */

export interface LogRecord {
  id: number;
  at: string;
  level: number;
  logger: string;
  message: string;
  taskSlug: string | null;
  mapIndex: number;
}

export interface LogLine {
  record: LogRecord;
  /** 0 for the line that carries time and level. */
  part: number;
  text: string;
}

const LONGEST = 4_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of terminals are what we take out
const ANSI = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;

export function toLines(records: readonly LogRecord[]): LogLine[] {
  const lines: LogLine[] = [];
  for (const record of records) {
    const parts = record.message.replace(ANSI, "").split(/\r?\n/);
    parts.forEach((text, part) => {
      lines.push({
        record,
        part,
        text: text.length > LONGEST ? `${text.slice(0, LONGEST)} … ${text.length - LONGEST} more characters` : text,
      });
    });
  }
  return lines;
}

export function levelWord(level: number): string {
  if (level >= 50) return "CRITICAL";
  if (level >= 40) return "ERROR";
  if (level >= 30) return "WARN";
  if (level >= 20) return "INFO";
  return "DEBUG";
}

export function taskLabel(record: { taskSlug: string | null; mapIndex: number }): string {
  if (!record.taskSlug) return "";
  return record.mapIndex >= 0 ? `${record.taskSlug}[${record.mapIndex}]` : record.taskSlug;
}

/** The indexes of the lines that contain the text. */
export function findMatches(lines: readonly LogLine[], text: string): number[] {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const found: number[] = [];
  lines.forEach((line, index) => {
    if (line.text.toLowerCase().includes(wanted)) found.push(index);
  });
  return found;
}

/** The index of the first line of the next (or previous) error record, seen from a line; -1 when there is none. */
export function nextError(lines: readonly LogLine[], from: number, step: 1 | -1): number {
  for (let index = from + step; index >= 0 && index < lines.length; index += step) {
    const line = lines[index];
    if (line && line.part === 0 && line.record.level >= 40) return index;
  }
  return -1;
}

/** Merges a page into what is loaded: by id, in order, without doubles. */
export function merge(loaded: readonly LogRecord[], page: readonly LogRecord[]): LogRecord[] {
  if (page.length === 0) return loaded as LogRecord[];
  const first = page[0] as LogRecord;
  const last = page[page.length - 1] as LogRecord;
  const before = loaded.filter((record) => record.id < first.id);
  const after = loaded.filter((record) => record.id > last.id);
  return [...before, ...page, ...after];
}

/** The server's cursor of a line: the keyset of logs is their id. */
export function cursorOf(id: number): string {
  return btoa(String(id)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
