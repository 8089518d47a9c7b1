/** Applies what the live stream says about runs to what pages have of them. All functions return the same object if nothing changes. */

export interface PatchRow {
  id: string;
  state: { type: string; name: string; version: number };
  scheduledTime: string;
  attempt: number;
}

export interface ListPage<Row> {
  items: Row[];
  next: string | null;
  total: number;
  totalCapped: boolean;
}

export interface ListFilter {
  q?: string;
  sort?: string;
}

export interface News<Row> {
  rows: ReadonlyMap<string, Row>;
  /** Runs that were deleted. */
  gone: ReadonlySet<string>;
}

const NEWEST_FIRST = "SCHEDULED_TIME_DESC";
const ANY = "";
/** The queries of which a page can tell alone whether a run belongs to them, with the types of states that they ask for. */
const DECIDABLE: Readonly<Record<string, readonly string[]>> = {
  [ANY]: [],
  "state:failed": ["FAILED"],
  "state:running,cancelling": ["RUNNING", "CANCELLING"],
};

/** Whether a run belongs to a list; null if only the server knows. */
export function belongs(filter: ListFilter, run: PatchRow, now: number): boolean | null {
  const { q = ANY, sort = NEWEST_FIRST, ...others } = filter;
  const types = DECIDABLE[q];
  if (!types || sort !== NEWEST_FIRST || Object.keys(others).length > 0) return null;
  const isPlanned = run.state.type === "SCHEDULED" && run.attempt === 0 && Date.parse(run.scheduledTime) > now;
  return types.length > 0 ? types.includes(run.state.type) : !isPlanned;
}

/** A row with what is new about it. A row that is newer already stays as it is. */
export function patched<Row extends PatchRow>(known: Row, row: Row): Row {
  return row.state.version < known.state.version ? known : row;
}

/** The pages of a list after some news, and whether only the server knows what else belongs to it now. Rows keep their places. */
export function patchedList<Row extends PatchRow>(
  pages: ListPage<Row>[],
  filter: ListFilter,
  { rows, gone }: News<Row>,
  now: number,
): { pages: ListPage<Row>[]; isUnsure: boolean } {
  let isUnsure = false;
  let added = 0;
  const fresh = new Map(rows);
  const newly = (known: Row): Row[] => {
    const row = rows.get(known.id);
    fresh.delete(known.id);
    const next = row ? patched(known, row) : known;
    const stays = !gone.has(known.id) && (next === known || belongs(filter, next, now));
    if (stays === null) isUnsure ||= hasMoved(known, next);
    if (stays !== false) return [next];
    added -= 1;
    return [];
  };
  let after = mapped(pages, (page) => {
    const items = page.items.flatMap(newly);
    return isSame(items, page.items) ? page : { ...page, items };
  });
  for (const row of fresh.values()) {
    const is = belongs(filter, row, now);
    isUnsure ||= is === null;
    const before = after;
    if (is) after = inserted(after, row);
    if (after !== before) added += 1;
  }
  return { pages: counted(after, added), isUnsure };
}

function isSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}

function mapped<T>(items: T[], change: (item: T) => T): T[] {
  const next = items.map(change);
  return isSame(next, items) ? items : next;
}

function hasMoved(known: PatchRow, row: PatchRow): boolean {
  return known.state.version !== row.state.version || known.scheduledTime !== row.scheduledTime;
}

/** With the row before the first one that is due earlier. Beyond what is loaded, it comes with its page. */
function inserted<Row extends PatchRow>(pages: ListPage<Row>[], row: Row): ListPage<Row>[] {
  const index = pages.findIndex(({ items }, place) => {
    const last = items.at(-1);
    return (last && isBefore(row, last)) || (place === pages.length - 1 && pages[place]?.next === null);
  });
  const page = pages[index];
  if (!page) return pages;
  const place = page.items.findIndex((other) => isBefore(row, other));
  const items = page.items.toSpliced(place < 0 ? page.items.length : place, 0, row);
  return pages.with(index, { ...page, items });
}

function isBefore(one: PatchRow, other: PatchRow): boolean {
  const later = Date.parse(one.scheduledTime) - Date.parse(other.scheduledTime);
  return later > 0 || (later === 0 && one.id > other.id);
}

function counted<Row>(pages: ListPage<Row>[], added: number): ListPage<Row>[] {
  const first = pages[0];
  if (!first || added === 0 || first.totalCapped) return pages;
  return pages.with(0, { ...first, total: Math.max(0, first.total + added) });
}

/** Anything in which runs appear, such as a page of cards: each run with what is new of what is already known of it. */
export function patchedWithin<T>(value: T, rows: ReadonlyMap<string, PatchRow>): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return mapped(value, (item) => patchedWithin(item, rows)) as T;
  }
  const row = "id" in value && "state" in value ? rows.get(String(value.id)) : undefined;
  return withParts(value, (part, name) => {
    const inner = patchedWithin(part, rows);
    return row && name in row ? known(inner, row[name as keyof PatchRow]) : inner;
  });
}

/** What is new, as far as something is known of it. */
function known(old: unknown, now: unknown): unknown {
  if (!isObject(old) || !isObject(now)) return old === now ? old : now;
  return withParts(old, (part, name) => (name in now ? known(part, now[name]) : part));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withParts<T extends object>(value: T, change: (part: unknown, name: string) => unknown): T {
  const parts = Object.entries(value).map(([name, part]) => [name, change(part, name)] as const);
  return parts.some(([name, part]) => part !== value[name as keyof T]) ? (Object.fromEntries(parts) as T) : value;
}
