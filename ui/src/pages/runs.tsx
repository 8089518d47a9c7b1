import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type RefObject, useMemo, useRef, useState } from "react";
import { Button } from "react-aria-components";
import { csvAddress, overviewQuery, type RunRow } from "../api/flow-runs";
import { BulkBar } from "../features/bulk/bulk-bar";
import { BulkDialog } from "../features/bulk/bulk-dialog";
import { ColumnsMenu } from "../features/runs/columns-menu";
import { Histogram } from "../features/runs/histogram";
import { NoRuns } from "../features/runs/no-runs";
import { QueryBox } from "../features/runs/query-box";
import { QuickChips } from "../features/runs/quick-chips";
import { QuickLook } from "../features/runs/quick-look";
import { RowActions } from "../features/runs/row-actions";
import { RunsTable, type Selecting } from "../features/runs/runs-table";
import { SubRunsToggle } from "../features/runs/sub-runs-toggle";
import { useRunList } from "../features/runs/use-run-list";
import { useRunSelection } from "../features/runs/use-run-selection";
import { useRunsShortcuts } from "../features/runs/use-runs-shortcuts";
import { type TableChoice, useTableChoice } from "../features/runs/use-table-choice";
import { ViewsMenu } from "../features/saved-views/views-menu";
import type { BulkKind } from "../lib/bulk";
import { type ColumnId, DENSITIES } from "../lib/run-columns";
import { parseRunView, printRunView, type RunView, toRunFilter, withRange, withShow } from "../lib/run-filter";
import type { RunSearch } from "../lib/saved-views";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

export function RunsPage() {
  usePageTitle("Runs");
  const search = useSearch({ from: "/app/runs" });
  const navigate = useNavigate();
  const view = useMemo(() => parseRunView(search), [search]);
  const box = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const [current, setCurrent] = useState(-1);
  const [isLooking, look] = useState(false);
  const go = (next: RunSearch) => {
    setCurrent(-1);
    choice.clear();
    void navigate({ to: "/runs", search: next });
  };
  const table = useTableChoice(search.columns, () => go({ ...search, columns: undefined }));
  const list = useRunList(view, box);
  const choice = useRunSelection(list.all, list.visible);
  /** The address says so if the query is empty, since without one the page opens with the default view. */
  const change = (next: RunView) =>
    go({ ...printRunView(next), columns: search.columns, ...(next.q ? {} : { show: "all" }) });
  const ask = (q: string) => change(parseRunView({ q, sort: search.sort }));
  useRunsShortcuts({
    view,
    change,
    runs: list.visible,
    current,
    setCurrent,
    selecting: choice.selecting,
    clear: choice.isAny ? choice.clear : null,
    isLooking,
    look,
    focusFilter: () => input.current?.focus(),
    showNew: list.showNew,
  });
  const looked = isLooking ? list.visible[current] : undefined;
  return (
    <div className="page page-full">
      <Head list={list} view={view} table={table} />
      <div className="runs-filter">
        <QueryBox
          q={view.q}
          onChange={ask}
          input={input}
          refused={list.refused}
          onOpen={(runId) => void navigate({ to: "/runs/$runId", params: { runId } })}
        />
        <ViewsMenu view={view} search={search} columns={table.columns} onOpen={go} />
      </div>
      <Overview view={view} change={change} ask={ask} isListed={list.isCurrent} />
      <div className="runs-body">
        <div className={`card table-card ${list.query.isPlaceholderData ? "dimmed" : ""}`}>
          <List
            list={list}
            view={view}
            ask={ask}
            change={change}
            box={box}
            current={current}
            selecting={choice.selecting}
            columns={looked ? table.columns.filter((id) => !LEFT_OUT.includes(id)) : table.columns}
            row={DENSITIES[table.density]}
            onLook={(run) => {
              setCurrent(list.visible.indexOf(run));
              look(true);
            }}
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
        {looked && <QuickLook run={looked} onClose={() => look(false)} />}
      </div>
    </div>
  );
}

/** Beside a quick look, which has them too. */
const LEFT_OUT: readonly ColumnId[] = ["started", "agent", "by"];

type RunList = ReturnType<typeof useRunList>;

function Head({ list: { data, count }, view, table }: { list: RunList; view: RunView; table: TableChoice }) {
  return (
    <div className="page-head runs-head">
      <h1>Runs</h1>
      <span className="muted number" aria-live="polite">
        {data && `${count.total.toLocaleString("en")}${count.totalCapped ? "+" : ""}`}
      </span>
      <span className="spring" />
      <Link to="/logs" className="muted link">
        Search logs
      </Link>
      <Link to="/jobs" className="muted link">
        Jobs
      </Link>
      <a className="button wide-only" href={csvAddress(view)} download="flow-runs.csv">
        CSV
      </a>
      <ColumnsMenu choice={table} />
    </div>
  );
}

interface Changing {
  view: RunView;
  change: (view: RunView) => void;
  ask: (q: string) => void;
}

/** Asked for once the list has its runs, which are what people wait for. */
function Overview({ view, change, ask, isListed }: Changing & { isListed: boolean }) {
  const { data } = useQuery({ ...overviewQuery(view.q), enabled: isListed, placeholderData: keepPreviousData });
  return (
    <>
      <div className="filter-bar runs-chips">
        <QuickChips q={view.q} counts={data} onChoose={(show) => change(parseRunView({ q: withShow(view.q, show) }))} />
        <SubRunsToggle q={view.q} onChange={ask} />
      </div>
      <div className="histogram-place">
        {data?.runHistogram && (
          <Histogram histogram={data.runHistogram} onRange={(since, until) => ask(withRange(view.q, since, until))} />
        )}
      </div>
    </>
  );
}

interface ListProps extends Changing {
  list: RunList;
  box: RefObject<HTMLDivElement | null>;
  current: number;
  selecting: Selecting | undefined;
  columns: readonly ColumnId[];
  row: number;
  onLook: (run: RunRow) => void;
}

function List(props: ListProps) {
  const { list, view, ask, change, box } = props;
  const { query, data, visible, held, showNew, refused } = list;
  const [question, setQuestion] = useState<{ kind: BulkKind; run: RunRow } | null>(null);
  return (
    <>
      {held > 0 && (
        <Button className="new-pill" onPress={showNew}>
          {held === 1 ? "1 new run" : `${held} new runs`} ↑
        </Button>
      )}
      <section className="table-box" ref={box} aria-label="Runs" tabIndex={0}>
        {refused && !data ? (
          <Empty
            title={refused.sentence}
            action={
              <Button className="button" onPress={() => ask("")}>
                Show all runs
              </Button>
            }
          />
        ) : query.isPending ? (
          <Skeleton rows={24} label="runs" />
        ) : query.isError && !data ? (
          <Failure error={query.error} retry={() => void query.refetch()} what="The runs" />
        ) : visible.length === 0 ? (
          <NoRuns q={view.q} onChange={ask} />
        ) : (
          <RunsTable
            runs={visible}
            box={box}
            total={list.count.total}
            current={props.current}
            onNearEnd={list.onNearEnd}
            columns={props.columns}
            row={props.row}
            sort={view.sort}
            onSort={(sort) => change({ ...view, sort })}
            actions={(run) => (
              <RowActions run={run} onLook={() => props.onLook(run)} onChange={(kind) => setQuestion({ kind, run })} />
            )}
            selecting={props.selecting}
          />
        )}
      </section>
      {question && (
        <BulkDialog
          target={{ kind: question.kind, runs: [question.run], count: ONE }}
          selected={ONE}
          onClose={() => setQuestion(null)}
          onDone={() => {}}
        />
      )}
    </>
  );
}

const ONE = { total: 1, totalCapped: false };
