import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Button, ToggleButton } from "react-aria-components";
import { downloadPath, type LogFilter, logsPage } from "../api/logs";
import { cursorOf, findMatches, type LogLine, levelWord, nextError, taskLabel, toLines } from "../lib/log-model";
import { formatFull, formatPreciseClock } from "../lib/time";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { useShortcuts } from "../ui/shortcuts";
import { toast, toastError } from "../ui/toasts";
import { useWindow } from "../ui/virtual-list";
import { keepWraps, readWraps, useColumns, useFind, useNews, useSameRows } from "./run/log-view";
import { type Place, useLogs } from "./use-logs";

const LINE = 18;
const NEAR = 60 * LINE;
const ERROR = 40;
const LEVELS = [
  { value: 0, label: "All levels" },
  { value: 20, name: "info", label: "Info and worse" },
  { value: 30, name: "warn", label: "Warnings and worse" },
  { value: 40, name: "error", label: "Errors" },
] as const;

/** What the address says of the log. */
export interface LogSearch {
  level?: "info" | "warn" | "error";
  find?: string;
}

interface Props {
  flowRunId: string;
  task: { taskSlug: string; mapIndex: number | null } | null;
  place: Place;
  isLive: boolean;
  errorCount: number;
  /** Grows when somebody asks for the first error from outside. */
  wish: { id: number; turn: number } | null;
  search: LogSearch;
  onSearch: (search: LogSearch) => void;
}

/** The log: rows of one fixed height, opened where it matters, searchable beyond what is loaded. */
export function LogViewer({ flowRunId, task, place, isLive, errorCount, wish, search, onSearch }: Props) {
  const minLevel = LEVELS.find((one) => "name" in one && one.name === search.level)?.value ?? 0;
  const [find, setFind] = useFind(search.find ?? "", (text) => onSearch({ find: text || undefined }));
  const [wraps, setWraps] = useState(readWraps);
  const [current, setCurrent] = useState(-1);
  const [following, setFollowing] = useState(isLive && place === "end");
  const box = useRef<HTMLDivElement>(null);
  const findInput = useRef<HTMLInputElement>(null);
  const slug = task?.taskSlug;
  const index = task?.mapIndex ?? undefined;
  const filter = useMemo<LogFilter>(
    () => ({
      ...(minLevel && { minLevel }),
      ...(slug && { taskSlug: slug }),
      ...(index !== undefined && { mapIndex: index }),
    }),
    [minLevel, slug, index],
  );
  const { view, open, grow } = useLogs(flowRunId, filter, place, isLive);
  const withTask = !(task && task.mapIndex !== null);
  const columns = useColumns(box, wraps, withTask);
  const lines = useMemo(() => toLines(view.records, columns), [view.records, columns]);
  const matches = useMemo(() => findMatches(lines, find), [lines, find]);

  const scrollTo = useCallback((line: number) => {
    const element = box.current;
    if (element) element.scrollTop = Math.max(0, line * LINE - element.clientHeight / 3);
  }, []);
  const show = useCallback(
    (line: number) => {
      setFollowing(false);
      setCurrent(line);
      scrollTo(line);
    },
    [scrollTo],
  );

  useGoal(view.goal, lines, box, setCurrent, scrollTo);
  useKeepPlace(lines, box, current, setCurrent);
  useSameRows(lines, columns, box, current, setCurrent);
  const news = useNews(view.records, following || !isLive);
  useLayoutEffect(() => {
    if (following && lines.length > 0 && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [following, lines]);
  useEffect(() => {
    if (wish) void open(wish.id);
  }, [wish, open]);

  /** The next match or error beyond what is loaded is the server's to find. */
  const jumpBeyond = async (wanted: LogFilter, what: string, step: 1 | -1) => {
    const edge = step === 1 ? view.records.at(-1) : view.records[0];
    const isMore = step === 1 ? view.hasNewer : view.hasOlder;
    const from = edge && isMore ? { [step === 1 ? "after" : "before"]: cursorOf(edge.id) } : null;
    const found = from ? (await logsPage(flowRunId, { ...filter, ...wanted }, from, 1)).items[0] : undefined;
    if (!found) toast(`No ${step === 1 ? "further" : "earlier"} ${what}.`);
    else {
      setFollowing(false);
      await open(found.id);
    }
  };
  const ask = (wanted: LogFilter, what: string, step: 1 | -1) => void jumpBeyond(wanted, what, step).catch(toastError);
  const goError = (step: 1 | -1) => {
    const line = nextError(lines, current >= 0 ? current : step === 1 ? -1 : lines.length, step);
    if (line >= 0) show(line);
    else ask({ minLevel: ERROR }, "errors", step);
  };
  const goMatch = (step: 1 | -1) => {
    const next = step === 1 ? matches.find((line) => line > current) : matches.findLast((line) => line < current);
    if (next !== undefined) show(next);
    else if (step === 1 ? view.hasNewer : view.hasOlder) ask({ text: find.trim() }, "matches", step);
    else if (matches.length > 0) show((step === 1 ? matches[0] : matches.at(-1)) as number);
  };
  const goEnd = () => {
    setFollowing(true);
    if (view.hasNewer) void open("end");
  };
  const wrap = (on: boolean) => {
    setWraps(on);
    keepWraps(on);
  };
  const copyLink = async (line: LogLine | undefined) => {
    if (!line) return;
    history.replaceState(history.state, "", `#L${line.record.id}`);
    await navigator.clipboard?.writeText(location.href);
    toast("Link to this line copied.");
  };
  useShortcuts("Logs", [
    { keys: "e", label: "Next error", run: () => goError(1) },
    { keys: "Shift E", label: "Previous error", run: () => goError(-1) },
    { keys: "/", label: "Find in the log", run: () => findInput.current?.focus() },
    { keys: "y", label: "Copy the link to the marked line", run: () => void copyLink(lines[current]) },
    { keys: "w", label: "Wrap long lines", run: () => wrap(!wraps) },
    { keys: "Shift F", label: "Follow the end", run: () => (following ? setFollowing(false) : goEnd()) },
  ]);

  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    const toEnd = element.scrollHeight - element.scrollTop - element.clientHeight;
    if (element.scrollTop < NEAR && view.hasOlder) void grow("older");
    if (toEnd < NEAR && view.hasNewer) void grow("newer");
    if (toEnd > 2 * LINE) setFollowing((was) => was && toEnd < LINE * 2);
  };
  const position = matches.indexOf(current);
  return (
    <>
      <div className="log-tools">
        <select
          className="select"
          aria-label="Level"
          value={search.level ?? ""}
          onChange={(event) => onSearch({ level: (event.target.value || undefined) as LogSearch["level"] })}
        >
          {LEVELS.map((level) => (
            <option key={level.value} value={"name" in level ? level.name : ""}>
              {level.label}
            </option>
          ))}
        </select>
        <span className="find">
          <input
            ref={findInput}
            className="input"
            type="search"
            aria-label="Find in the log"
            placeholder="Find"
            value={find}
            onChange={(event) => setFind(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter") goMatch(event.shiftKey ? -1 : 1);
              if (event.key === "Escape") event.currentTarget.blur();
            }}
          />
          {find.trim() && (
            <span className="find-count number" role="status">
              {position + 1}/{matches.length}
              {view.hasNewer || view.hasOlder ? "+" : ""}
            </span>
          )}
        </span>
        <span className="spring" />
        {errorCount > 0 && (
          <Button className="button small text-failed" onPress={() => goError(1)}>
            Errors {errorCount.toLocaleString("en")} <kbd>e</kbd>
          </Button>
        )}
        <ToggleButton className="button small toggle" isSelected={wraps} onChange={wrap}>
          Wrap
        </ToggleButton>
        {isLive && (
          <ToggleButton
            className="button small toggle"
            isSelected={following}
            onChange={(on) => (on ? goEnd() : setFollowing(false))}
          >
            Follow
          </ToggleButton>
        )}
        <a className="button small" href={downloadPath(flowRunId)} download>
          Download
        </a>
      </div>
      <div className="log-frame">
        <div
          className="log mono"
          ref={box}
          role="log"
          aria-live="off"
          aria-label="Log lines"
          tabIndex={0}
          onScroll={onScroll}
        >
          {view.isPending ? (
            <Skeleton rows={14} label="log lines" />
          ) : view.error ? (
            <Failure error={view.error} retry={() => void open(place)} what="The log" />
          ) : lines.length === 0 ? (
            <NoLines isLive={isLive} filtered={minLevel > 0 || task !== null} />
          ) : (
            <Lines
              lines={lines}
              box={box}
              current={current}
              find={find.trim()}
              numbered={!view.hasOlder}
              withTask={withTask}
              onPick={(line) => {
                setCurrent(line);
                void copyLink(lines[line]);
              }}
            />
          )}
        </div>
        {news > 0 && (
          <Button className="button small primary new-lines" onPress={goEnd}>
            {news.toLocaleString("en")} new {news === 1 ? "line" : "lines"} ↓
          </Button>
        )}
      </div>
    </>
  );
}

function NoLines({ isLive, filtered }: { isLive: boolean; filtered: boolean }) {
  if (filtered) return <Empty title="No lines match this level and task." />;
  return <Empty title={isLive ? "No lines yet." : "This run wrote no log lines."} />;
}

type Box = React.RefObject<HTMLDivElement | null>;

/** Brings the wished line into view once it is loaded. */
function useGoal(
  goal: { id: number | "end"; turn: number } | null,
  lines: LogLine[],
  box: Box,
  mark: (line: number) => void,
  scrollTo: (line: number) => void,
): void {
  const done = useRef(0);
  useLayoutEffect(() => {
    if (!goal || goal.turn === done.current || lines.length === 0) return;
    done.current = goal.turn;
    if (goal.id === "end") {
      mark(-1);
      if (box.current) box.current.scrollTop = box.current.scrollHeight;
      return;
    }
    const line = lines.findIndex((one) => one.record.id >= (goal.id as number));
    const wanted = line > 0 || (lines[0]?.record.level ?? 0) >= ERROR;
    mark(wanted ? line : -1);
    scrollTo(line);
  }, [goal, lines, box, mark, scrollTo]);
}

/** Lines that load above must not move what is being read. */
function useKeepPlace(lines: LogLine[], box: Box, current: number, mark: (line: number) => void): void {
  const first = useRef<number | null>(null);
  useLayoutEffect(() => {
    const before = first.current;
    first.current = lines[0]?.record.id ?? null;
    if (before === null || first.current === null || first.current >= before || !box.current) return;
    const added = lines.findIndex((line) => line.record.id === before);
    if (added <= 0) return;
    box.current.scrollTop += added * LINE;
    if (current >= 0) mark(current + added);
  }, [lines, box, current, mark]);
}

interface LinesProps {
  lines: LogLine[];
  box: Box;
  current: number;
  find: string;
  numbered: boolean;
  withTask: boolean;
  onPick: (line: number) => void;
}

function Lines({ lines, box, current, find, numbered, withTask, onPick }: LinesProps) {
  const { first, last } = useWindow(box, lines.length, LINE);
  return (
    <div className="log-height" style={{ height: lines.length * LINE }}>
      <div className={`log-rows ${withTask ? "with-task" : ""}`} style={{ transform: `translateY(${first * LINE}px)` }}>
        {lines.slice(first, last).map((line, offset) => {
          const index = first + offset;
          const { record } = line;
          const head = line.part === 0;
          const isFirst = line.from === 0;
          const number = numbered ? line.number : "·";
          const level = record.level >= ERROR ? "line-error" : "";
          return (
            <div
              key={`${record.id}.${line.part}`}
              className={`line ${level} ${index === current ? "line-current" : ""}`}
            >
              <button
                type="button"
                className="line-number"
                tabIndex={-1}
                aria-label={`${number}: copy the link to this line`}
                onClick={() => onPick(index)}
              >
                {isFirst && number}
              </button>
              <span
                className="muted"
                title={
                  head ? `${formatFull(new Date(record.at))}\n${formatFull(new Date(record.at), "UTC")}` : undefined
                }
              >
                {head && formatPreciseClock(new Date(record.at))}
              </span>
              <span className={`level-${levelWord(record.level)}`}>{head && levelWord(record.level)}</span>
              {withTask && (
                <span className="line-task muted" title={taskLabel(record)}>
                  {head && taskLabel(record)}
                </span>
              )}
              <span>{find ? <Marked text={line.text} find={find} /> : line.text}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Marked({ text, find }: { text: string; find: string }) {
  const at = text.toLowerCase().indexOf(find.toLowerCase());
  if (at < 0) return text;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + find.length)}</mark>
      {text.slice(at + find.length)}
    </>
  );
}
