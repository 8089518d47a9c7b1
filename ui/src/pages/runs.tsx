import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type RefObject, useMemo, useRef, useState } from "react";
import { Button } from "react-aria-components";
import type { RunRow } from "../api/flow-runs";
import { BulkBar } from "../features/bulk/bulk-bar";
import { FilterBar } from "../features/runs/filter-bar";
import { NoRuns } from "../features/runs/no-runs";
import { RunsTable, type Selecting } from "../features/runs/runs-table";
import { StopDialog } from "../features/runs/stop-dialog";
import { useRunList } from "../features/runs/use-run-list";
import { useRunSelection } from "../features/runs/use-run-selection";
import { useRunsShortcuts } from "../features/runs/use-runs-shortcuts";
import { useWriting } from "../features/session/permissions";
import { parseRunView, printRunView, type RunView, toRunFilter, unknownInUrl } from "../lib/run-filter";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

export function RunsPage() {
  usePageTitle("Runs");
  const search = useSearch({ from: "/app/runs" });
  const navigate = useNavigate();
  const view = useMemo(() => parseRunView(search), [search]);
  const box = useRef<HTMLDivElement>(null);
  const filterInput = useRef<HTMLInputElement>(null);
  const [current, setCurrent] = useState(-1);
  const list = useRunList(view, box);
  const choice = useRunSelection(list.all, list.visible);
  const change = (next: RunView) => {
    setCurrent(-1);
    choice.clear();
    void navigate({ to: "/runs", search: printRunView(next), replace: true });
  };
  useRunsShortcuts({
    view,
    change,
    runs: list.visible,
    current,
    setCurrent,
    selecting: choice.selecting,
    clear: choice.isAny ? choice.clear : null,
    focusFilter: () => filterInput.current?.focus(),
    showNew: list.showNew,
  });
  return (
    <div className="page page-full">
      <Head list={list} />
      <FilterBar view={view} change={change} input={filterInput} flowName={list.all[0]?.flow.name} />
      <div className={`card table-card ${list.query.isPlaceholderData ? "dimmed" : ""}`}>
        <List
          list={list}
          view={view}
          unknown={unknownInUrl(search)}
          change={change}
          box={box}
          current={current}
          selecting={choice.selecting}
        />
        <BulkBar
          selection={choice.selection}
          selected={choice.selected}
          filter={toRunFilter(view)}
          total={list.count}
          onAll={choice.selectMatches}
          onClear={choice.clear}
        />
      </div>
    </div>
  );
}

type RunList = ReturnType<typeof useRunList>;

function Head({ list: { query, count } }: { list: RunList }) {
  return (
    <div className="page-head">
      <h1>Runs</h1>
      <span className="muted number" aria-live="polite">
        {query.data && `${count.total.toLocaleString("en")}${count.totalCapped ? "+" : ""}`}
      </span>
      <span className="spring" />
      <Link to="/logs" className="muted link">
        Search logs
      </Link>
      <Link to="/jobs" className="muted link">
        Jobs
      </Link>
    </div>
  );
}

interface ListProps {
  list: RunList;
  view: RunView;
  /** What the URL asks for that doesn't exist. */
  unknown: string | null;
  change: (view: RunView) => void;
  box: RefObject<HTMLDivElement | null>;
  current: number;
  selecting: Selecting | undefined;
}

function List({ list, view, unknown, change, box, current, selecting }: ListProps) {
  const { query, visible, held, showNew } = list;
  const [stopping, setStopping] = useState<RunRow | null>(null);
  const writing = useWriting();
  return (
    <>
      {held > 0 && (
        <Button className="new-pill" onPress={showNew}>
          {held === 1 ? "1 new run" : `${held} new runs`} ↑
        </Button>
      )}
      <section className="table-box" ref={box} aria-label="Runs" tabIndex={0}>
        {unknown ? (
          <Empty
            title={unknown}
            action={
              <Button className="button" onPress={() => change(view)}>
                Show runs without it
              </Button>
            }
          />
        ) : query.isPending ? (
          <Skeleton rows={24} label="runs" />
        ) : query.isError && !query.data ? (
          <Failure error={query.error} retry={() => void query.refetch()} what="The runs" />
        ) : visible.length === 0 ? (
          <NoRuns view={view} change={change} />
        ) : (
          <RunsTable
            runs={visible}
            box={box}
            total={list.count.total}
            current={current}
            onNearEnd={list.onNearEnd}
            onStop={writing.allowed ? setStopping : null}
            selecting={selecting}
          />
        )}
      </section>
      <StopDialog run={stopping} onClose={() => setStopping(null)} />
    </>
  );
}
