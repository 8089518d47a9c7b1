import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Button, ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { type RunRow, runsQuery } from "../api/flow-runs";
import { BulkBar } from "../features/bulk/bulk-bar";
import { useMay, useWriting } from "../features/permissions";
import { RunsTable, type Selecting } from "../features/runs-table";
import { StopDialog } from "../features/stop-dialog";
import { isUuid, parseRunView, printRunView, type RunView, SHOWS, toRunFilter } from "../lib/run-filter";
import { allToggled, extentOf, isSelected, NOTHING, toggled } from "../lib/selection";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";

export function RunsPage() {
  usePageTitle("Runs");
  const search = useSearch({ from: "/app/runs" });
  const navigate = useNavigate();
  const view = useMemo(() => parseRunView(search), [search]);
  const query = useInfiniteQuery({ ...runsQuery(toRunFilter(view)), placeholderData: keepPreviousData });
  const box = useRef<HTMLDivElement>(null);
  const filterInput = useRef<HTMLInputElement>(null);
  const [stopping, setStopping] = useState<RunRow | null>(null);
  const [current, setCurrent] = useState(-1);
  const [selection, setSelection] = useState(NOTHING);
  const writing = useWriting();
  const may = useMay();

  const all = useMemo(() => unique(query.data?.pages.flatMap((page) => page.items) ?? []), [query.data]);
  const { shown, held, showNew } = useHeldBack(all, box);
  const total = query.data?.pages[0]?.total ?? 0;
  const capped = query.data?.pages[0]?.totalCapped ?? false;
  const change = (next: RunView) => {
    setCurrent(-1);
    setSelection(NOTHING);
    void navigate({ to: "/runs", search: printRunView(next), replace: true });
  };
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const onNearEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const move = (step: number) => setCurrent((at) => Math.min(shown.length - 1, Math.max(0, at + step)));
  const ids = useMemo(() => shown.map((run) => run.id), [shown]);
  const selected = useMemo(() => all.filter((run) => selection.ids.has(run.id)), [all, selection]);
  const selecting: Selecting | undefined = may("runs:bulk")
    ? {
        extent: extentOf(selection, ids),
        isSelected: (id) => isSelected(selection, id),
        onToggle: (id, range) => setSelection(toggled(selection, ids, id, range)),
        onToggleAll: () => setSelection(allToggled(selection, ids)),
      }
    : undefined;
  const select = (range: boolean) => {
    const run = shown[current];
    if (run) selecting?.onToggle(run.id, range);
  };
  const isAnySelected = selection.allSince !== null || selection.ids.size > 0;
  const open = () => {
    const run = shown[current];
    if (run) void navigate({ to: "/runs/$runId", params: { runId: run.id } });
  };
  useShortcuts("Runs", [
    { keys: "/", label: "Filter", run: () => filterInput.current?.focus() },
    { keys: "j", label: "Next run", run: () => move(1) },
    { keys: "k", label: "Previous run", run: () => move(-1) },
    { keys: "Enter", label: "Open the run", run: open },
    { keys: "u", label: "Show new runs", run: showNew },
    ...(selecting
      ? [
          { keys: "x", label: "Select the run", run: () => select(false) },
          { keys: "Shift X", label: "Select all from the last one to this", run: () => select(true) },
        ]
      : []),
    ...(isAnySelected ? [{ keys: "Escape", label: "Select nothing", run: () => setSelection(NOTHING) }] : []),
    ...SHOWS.map((show, index) => ({
      keys: String(index + 1),
      label: `Show ${show.label.toLowerCase()}`,
      run: () => change({ ...view, show: show.id }),
    })),
  ]);

  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Runs</h1>
        <span className="muted number" aria-live="polite">
          {query.data && `${total.toLocaleString("en")}${capped ? "+" : ""}`}
        </span>
        <span className="spring" />
        <Link to="/jobs" className="muted link">
          Jobs
        </Link>
      </div>
      <div className="filter-bar">
        <ToggleButtonGroup
          className="chips"
          aria-label="State"
          selectionMode="single"
          disallowEmptySelection
          selectedKeys={[view.show]}
          onSelectionChange={(keys) => change({ ...view, show: [...keys][0] as RunView["show"] })}
        >
          {SHOWS.map((show) => (
            <ToggleButton key={show.id} id={show.id} className="chip">
              {show.label}
            </ToggleButton>
          ))}
        </ToggleButtonGroup>
        <TextFilter view={view} change={change} input={filterInput} />
        {view.flow && (
          <Button className="button" onPress={() => change({ ...view, flow: "" })}>
            {all[0] ? `Flow: ${all[0].flow.name}` : "One flow"} <span aria-hidden="true">✕</span>
            <span className="unseen">Show all flows</span>
          </Button>
        )}
      </div>
      <div className={`card table-card ${query.isPlaceholderData ? "dimmed" : ""}`}>
        {held > 0 && (
          <Button className="new-pill" onPress={showNew}>
            {held === 1 ? "1 new run" : `${held} new runs`} ↑
          </Button>
        )}
        <section className="table-box" ref={box} aria-label="Runs" tabIndex={0}>
          {query.isPending ? (
            <Skeleton rows={24} label="runs" />
          ) : query.isError && !query.data ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The runs" />
          ) : shown.length === 0 ? (
            <NoRuns view={view} change={change} />
          ) : (
            <RunsTable
              runs={shown}
              box={box}
              total={total}
              current={current}
              onNearEnd={onNearEnd}
              onStop={writing.allowed ? setStopping : null}
              selecting={selecting}
            />
          )}
        </section>
        <BulkBar
          selection={selection}
          selected={selected}
          filter={toRunFilter(view)}
          total={{ total, totalCapped: capped }}
          onAll={() => setSelection({ ...NOTHING, allSince: new Date().toISOString() })}
          onClear={() => setSelection(NOTHING)}
        />
      </div>
      <StopDialog run={stopping} onClose={() => setStopping(null)} />
    </div>
  );
}

function unique(runs: readonly RunRow[]): RunRow[] {
  return [...new Map(runs.map((run) => [run.id, run])).values()];
}

/** While somebody reads further down, new runs wait above and don't push the list. */
function useHeldBack(all: readonly RunRow[], box: RefObject<HTMLDivElement | null>) {
  const [anchor, setAnchor] = useState<string | null>(null);
  const top = all[0]?.id ?? null;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const onScroll = () => setAnchor((held) => (element.scrollTop > 16 ? (held ?? top) : null));
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, [box, top]);
  const held =
    anchor === null
      ? 0
      : Math.max(
          0,
          all.findIndex((run) => run.id === anchor),
        );
  const shown = useMemo(() => all.slice(held), [all, held]);
  const showNew = () => {
    setAnchor(null);
    box.current?.scrollTo({ top: 0 });
  };
  return { shown, held, showNew };
}

const TYPING_PAUSE = 250;

function TextFilter({
  view,
  change,
  input,
}: {
  view: RunView;
  change: (view: RunView) => void;
  input: RefObject<HTMLInputElement | null>;
}) {
  const navigate = useNavigate();
  const [text, setText] = useState(view.q);
  const latest = useRef({ view, change });
  latest.current = { view, change };
  useEffect(() => setText((typed) => (typed.trim() === view.q ? typed : view.q)), [view.q]);
  useEffect(() => {
    const timer = window.setTimeout(() => {
      if (text.trim() !== latest.current.view.q) latest.current.change({ ...latest.current.view, q: text });
    }, TYPING_PAUSE);
    return () => window.clearTimeout(timer);
  }, [text]);
  return (
    <input
      ref={input}
      className="input filter-input"
      type="search"
      aria-label="Filter by flow or run name; a run's id opens it"
      placeholder="Filter by flow or run name"
      value={text}
      onChange={(event) => setText(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter" && isUuid(text))
          void navigate({ to: "/runs/$runId", params: { runId: text.trim() } });
        if (event.key === "Escape") event.currentTarget.blur();
      }}
    />
  );
}

function NoRuns({ view, change }: { view: RunView; change: (view: RunView) => void }) {
  const everything: RunView = { show: "all", q: "", flow: "" };
  if (view.q || view.flow) {
    const what = view.q ? `“${view.q}”` : "this flow";
    return (
      <Empty
        title={`No ${view.show === "all" ? "" : `${view.show} `}runs match ${what}.`}
        action={
          <Button className="button" onPress={() => change(everything)}>
            Show all runs
          </Button>
        }
      />
    );
  }
  if (view.show === "failed") return <Empty title="No failed runs.">Nothing needs you here.</Empty>;
  if (view.show !== "all") return <Empty title={`No ${view.show} runs at the moment.`} />;
  return (
    <Empty
      title="No runs yet."
      action={
        <Link to="/flows" className="button primary">
          Go to flows
        </Link>
      }
    >
      A run is one execution of a flow. Start one from the flow's page, or by{" "}
      <code>appliance run FLOW --project NAME</code>.
    </Empty>
  );
}
