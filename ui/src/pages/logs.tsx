import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useRef } from "react";
import { logSearchQuery } from "../api/logs";
import { FoundLines } from "../features/log-search/found-lines";
import { NoLinesFound } from "../features/log-search/no-lines-found";
import { SearchBar } from "../features/log-search/search-bar";
import { hasWord, type LogSearchView, parseLogSearch, printLogSearch } from "../lib/log-search";
import { BusyButton } from "../ui/busy-button";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";

export function LogsPage() {
  usePageTitle("Logs");
  const search = useSearch({ from: "/app/logs" });
  const navigate = useNavigate();
  const view = useMemo(() => parseLogSearch(search), [search]);
  const input = useRef<HTMLInputElement>(null);
  const query = useInfiniteQuery(logSearchQuery(view));
  const pages = query.data?.pages ?? [];
  const lines = pages.flatMap((page) => page.items);
  const change = (next: LogSearchView) => void navigate({ to: "/logs", search: printLogSearch(next) });
  useShortcuts("Logs", [{ keys: "/", label: "Search", run: () => input.current?.focus() }]);
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Logs</h1>
        <span className="muted">lines of all runs, newest first</span>
      </div>
      <SearchBar view={view} change={change} input={input} />
      {pages.some((page) => !page.complete) && (
        <p className="muted" role="status">
          Log lines from before the last upgrade are still being added to the index, so some may be missing.
        </p>
      )}
      <div className="card table-card">
        <section className="table-box" aria-label="Log lines" tabIndex={0}>
          {!hasWord(view.q) ? (
            <NoLinesFound view={view} change={change} />
          ) : query.isPending ? (
            <Skeleton rows={16} label="log lines" />
          ) : query.isError && !query.data ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The log lines" />
          ) : lines.length > 0 ? (
            <FoundLines lines={lines} q={view.q} />
          ) : query.hasNextPage ? (
            <Empty title="None of the newest lines match.">Older ones may.</Empty>
          ) : (
            <NoLinesFound view={view} change={change} />
          )}
        </section>
        {query.hasNextPage && (
          <div className="row center">
            <BusyButton className="button" isBusy={query.isFetchingNextPage} onPress={() => void query.fetchNextPage()}>
              Older
            </BusyButton>
          </div>
        )}
      </div>
    </div>
  );
}
