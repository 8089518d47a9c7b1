import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { Button } from "react-aria-components";
import { flowsQuery } from "../api/flows";
import { FlowsTable } from "../features/flows/flows-table";
import { NoFlows } from "../features/flows/no-flows";
import { Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";

const TYPING_PAUSE = 250;

export function FlowsPage() {
  usePageTitle("Flows");
  const { q = "", show } = useSearch({ from: "/app/flows" });
  const isArchive = show === "archive";
  const navigate = useNavigate();
  const [text, setText] = useState(q);
  const [current, setCurrent] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const query = useInfiniteQuery({ ...flowsQuery(q, isArchive), placeholderData: keepPreviousData });
  const flows = query.data?.pages.flatMap((page) => page.items) ?? [];
  useEffect(() => {
    const timer = window.setTimeout(() => {
      if (text.trim() !== q)
        void navigate({ to: "/flows", search: { q: text.trim() || undefined, show }, replace: true });
    }, TYPING_PAUSE);
    return () => window.clearTimeout(timer);
  }, [text, q, show, navigate]);
  const flowAt = () => flows[current];
  useShortcuts("Flows", [
    { keys: "/", label: "Search", run: () => input.current?.focus() },
    { keys: "j", label: "Next flow", run: () => setCurrent((at) => Math.min(flows.length - 1, at + 1)) },
    { keys: "k", label: "Previous flow", run: () => setCurrent((at) => Math.max(0, at - 1)) },
    {
      keys: "Enter",
      label: "Open the flow",
      run: () => {
        const flow = flowAt();
        if (flow) void navigate({ to: "/flows/$flowId", params: { flowId: flow.id } });
      },
    },
    {
      keys: "n",
      label: "Run the flow…",
      run: () => {
        const flow = flowAt();
        if (flow) void navigate({ to: "/flows/$flowId/run", params: { flowId: flow.id } });
      },
    },
  ]);
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Flows</h1>
        <span className="muted number">{query.data && `${flows.length}${query.hasNextPage ? "+" : ""}`}</span>
        <span className="spring" />
        <Link to="/projects" className="muted">
          Projects
        </Link>
      </div>
      <div className="filter-bar">
        <input
          ref={input}
          className="input filter-input"
          type="search"
          aria-label="Search flows by name"
          placeholder="Search by name"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <label className="row">
          <input
            type="checkbox"
            checked={isArchive}
            onChange={(event) =>
              void navigate({
                to: "/flows",
                search: { q: q || undefined, show: event.target.checked ? "archive" : undefined },
              })
            }
          />
          In the archive
        </label>
      </div>
      <div className={`card table-card ${query.isPlaceholderData ? "dimmed" : ""}`}>
        <section className="table-box" aria-label="Flows" tabIndex={0}>
          {query.isPending ? (
            <Skeleton rows={12} label="flows" />
          ) : query.isError && flows.length === 0 ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The flows" />
          ) : flows.length === 0 ? (
            <NoFlows q={q} isArchive={isArchive} clear={() => setText("")} />
          ) : (
            <FlowsTable flows={flows} current={current} />
          )}
          {query.hasNextPage && (
            <div className="row center">
              <Button
                className="button"
                isPending={query.isFetchingNextPage}
                onPress={() => void query.fetchNextPage()}
              >
                Show more flows
              </Button>
            </div>
          )}
        </section>
      </div>
    </div>
  );
}
