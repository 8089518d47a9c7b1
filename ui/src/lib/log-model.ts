/** Log records as rows of fixed height: a record of many lines is many rows. Nothing is ever measured on the page. */

export interface LogRecord {
  id: number;
  at: string;
  level: number;
  logger: string;
  message: string;
  stream: "STDOUT" | "STDERR" | null;
  taskSlug: string | null;
  mapIndex: number;
}

export interface LogLine {
  record: LogRecord;
  /** 0 for the line with the time and level. */
  part: number;
  text: string;
  /** The physical line, counted from the first loaded one. */
  number: number;
  /** The whole physical line, and where this row begins in it: 0, except for the further rows of a wrapped line. */
  whole: string;
  from: number;
}

const LONGEST = 4_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: this removes terminal escape sequences
const ANSI = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;

/** With `columns`, longer lines continue in further rows: their number is computed, not measured. */
export function toLines(records: readonly LogRecord[], columns = Number.POSITIVE_INFINITY): LogLine[] {
  const lines: LogLine[] = [];
  let number = 0;
  for (const record of records) {
    let part = 0;
    for (const text of record.message.replace(ANSI, "").split(/\r?\n/)) {
      const whole =
        text.length > LONGEST ? `${text.slice(0, LONGEST)} … ${text.length - LONGEST} more characters` : text;
      number += 1;
      let from = 0;
      do {
        lines.push({ record, part, text: whole.slice(from, from + columns), number, whole, from });
        part += 1;
        from += columns;
      } while (from < whole.length);
    }
  }
  return lines;
}

/** The index of an old row among the new ones after the width has changed; -1 if it is gone. */
export function sameRow(old: LogLine | undefined, lines: readonly LogLine[]): number {
  if (!old) return -1;
  return lines.findLastIndex((line) => line.number === old.number && line.from <= old.from);
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

/** The indexes of the rows in which the text begins; it may end in the next row of a wrapped line. */
export function findMatches(lines: readonly LogLine[], text: string): number[] {
  const needle = text.trim().toLowerCase();
  if (!needle) return [];
  const matches: number[] = [];
  lines.forEach((line, index) => {
    const at = line.whole.toLowerCase().indexOf(needle, line.from);
    if (at >= 0 && (at < line.from + line.text.length || at === line.from)) matches.push(index);
  });
  return matches;
}

/** The index of the first line of the next (or previous) error record after a line; -1 if there is none. */
export function nextError(lines: readonly LogLine[], from: number, step: 1 | -1): number {
  for (let index = from + step; index >= 0 && index < lines.length; index += step) {
    const line = lines[index];
    if (line && line.part === 0 && line.record.level >= 40) return index;
  }
  return -1;
}

/** Merges a page into the loaded records: by id, in order, without duplicates. */
export function merge(loaded: readonly LogRecord[], page: readonly LogRecord[]): LogRecord[] {
  if (page.length === 0) return loaded as LogRecord[];
  const first = page[0] as LogRecord;
  const last = page[page.length - 1] as LogRecord;
  const before = loaded.filter((record) => record.id < first.id);
  const after = loaded.filter((record) => record.id > last.id);
  return [...before, ...page, ...after];
}

/** The server's cursor for a line: log pages are keyed by id. */
export function cursorOf(id: number): string {
  return btoa(String(id)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
