/** The log: rows of fixed height, opened at the relevant line, searchable beyond the loaded lines. */

import { useMemo, useRef, useState } from "react";
import { Button } from "react-aria-components";
import type { LogFilter } from "../../api/logs";
import { findMatches, type LogLine } from "../../lib/log-model";
import { Failure, Skeleton } from "../../ui/notice";
import { useShortcuts } from "../../ui/shortcuts";
import { type Jumps, jumpsIn } from "./jumps";
import { type LogSearch, lowestLevel } from "./levels";
import { Lines, NoLines } from "./log-lines";
import { LogTools } from "./log-tools";
import { keepWraps, readWraps, useFind } from "./log-view";
import { type LogRows, useLogRows } from "./use-log-rows";
import type { Place } from "./use-logs";
import "./log.css";
import { copyText } from "../../ui/copy";

interface Task {
  taskSlug: string;
  mapIndex: number | null;
}

interface Props {
  flowRunId: string;
  task: Task | null;
  place: Place;
  isLive: boolean;
  errorCount: number;
  /** Incremented to request a jump to the first error. */
  request: { id: number; turn: number } | null;
  search: LogSearch;
  onSearch: (search: LogSearch) => void;
}

export function LogViewer(props: Props) {
  const { flowRunId, task, place, isLive, errorCount, request, search, onSearch } = props;
  const [find, setFind] = useFind(search.find ?? "", (text) => onSearch({ find: text || undefined }));
  const [wraps, setWraps] = useState(readWraps);
  const findInput = useRef<HTMLInputElement>(null);
  const filter = useFilter(lowestLevel(search), search.stream, task);
  const withTask = !(task && task.mapIndex !== null);
  const rows = useLogRows({ flowRunId, filter, place, isLive, wraps, withTask, request });
  const matches = useMemo(() => findMatches(rows.lines, find), [rows.lines, find]);
  const jumps = jumpsIn(rows, flowRunId, filter, find, matches);
  const wrap = (on: boolean) => {
    setWraps(on);
    keepWraps(on);
  };
  useLogShortcuts(
    rows,
    jumps,
    () => findInput.current?.focus(),
    () => wrap(!wraps),
  );
  return (
    <>
      <LogTools
        flowRunId={flowRunId}
        rows={rows}
        jumps={jumps}
        search={search}
        onSearch={onSearch}
        find={find}
        setFind={setFind}
        matches={matches}
        input={findInput}
        errorCount={errorCount}
        wraps={wraps}
        wrap={wrap}
        isLive={isLive}
      />
      <div className="log-frame">
        <Log {...props} rows={rows} find={find} withTask={withTask} />
        {rows.news > 0 && (
          <Button className="button small primary new-lines" onPress={jumps.toEnd}>
            {rows.news.toLocaleString("en")} new {rows.news === 1 ? "line" : "lines"} ↓
          </Button>
        )}
      </div>
    </>
  );
}

function useFilter(minLevel: number, stream: LogSearch["stream"], task: Task | null): LogFilter {
  const slug = task?.taskSlug;
  const index = task?.mapIndex ?? undefined;
  return useMemo(
    () => ({
      ...(minLevel && { minLevel }),
      ...(stream && { stream: stream === "stderr" ? "STDERR" : "STDOUT" }),
      ...(slug && { taskSlug: slug }),
      ...(index !== undefined && { mapIndex: index }),
    }),
    [minLevel, stream, slug, index],
  );
}

function useLogShortcuts(rows: LogRows, jumps: Jumps, focusFind: () => void, toggleWrap: () => void): void {
  const { lines, current, following, setFollowing } = rows;
  useShortcuts("Logs", [
    { keys: "e", label: "Next error", run: () => jumps.toError(1) },
    { keys: "Shift E", label: "Previous error", run: () => jumps.toError(-1) },
    { keys: "/", label: "Find in the log", run: focusFind },
    { keys: "y", label: "Copy a link to the current line", run: () => void copyLink(lines[current]) },
    { keys: "w", label: "Wrap long lines", run: toggleWrap },
    { keys: "Shift F", label: "Follow new lines", run: () => (following ? setFollowing(false) : jumps.toEnd()) },
  ]);
}

async function copyLink(line: LogLine | undefined): Promise<void> {
  if (!line) return;
  history.replaceState(history.state, "", `#L${line.record.id}`);
  await copyText(location.href, "Link to this line copied.");
}

function Log({ rows, find, withTask, ...props }: Props & { rows: LogRows; find: string; withTask: boolean }) {
  const { box, view, lines, open } = rows;
  return (
    <div
      className="log mono"
      ref={box}
      role="log"
      aria-live="off"
      aria-label="Log lines"
      tabIndex={0}
      onScroll={rows.onScroll}
    >
      {view.isPending ? (
        <Skeleton rows={14} label="log lines" />
      ) : view.error ? (
        <Failure error={view.error} retry={() => void open(props.place)} what="The log" />
      ) : lines.length === 0 ? (
        <NoLines
          isLive={props.isLive}
          filtered={lowestLevel(props.search) > 0 || props.search.stream !== undefined || props.task !== null}
        />
      ) : (
        <Lines
          lines={lines}
          box={box}
          current={rows.current}
          find={find.trim()}
          numbered={!view.hasOlder}
          withTask={withTask}
          onPick={(line) => {
            rows.setCurrent(line);
            void copyLink(lines[line]);
          }}
        />
      )}
    </div>
  );
}
