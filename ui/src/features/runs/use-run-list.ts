/** The runs of a view, page by page, with new ones held back while the list is scrolled down. */

import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type RunRow, runsQuery } from "../../api/flow-runs";
import { ApiError } from "../../api/http";
import type { RunView } from "../../lib/run-filter";
import { refusedToken } from "../../lib/run-query";

const REFUSALS = ["invalid", "unknown_name"];

export function useRunList(view: RunView, box: RefObject<HTMLDivElement | null>) {
  const query = useInfiniteQuery({ ...runsQuery(view), placeholderData: keepPreviousData });
  const last = useRef(query.data);
  if (query.data) last.current = query.data;
  const { error } = query;
  const isRefused = error instanceof ApiError && REFUSALS.includes(error.code);
  const data = query.data ?? (isRefused ? last.current : undefined); // a query that can't be used leaves the list as it was
  const all = useMemo(() => unique(data?.pages.flatMap((page) => page.items) ?? []), [data]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const onNearEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const first = data?.pages[0];
  return {
    query,
    data,
    /** Whether these are the runs of the view, not those of the one before it. */
    isCurrent: query.isSuccess && !query.isPlaceholderData,
    refused: isRefused ? { token: refusedToken(view.q, error), sentence: error.message } : null,
    all,
    count: { total: first?.total ?? 0, totalCapped: first?.totalCapped ?? false },
    onNearEnd,
    ...useHeldBack(all, box),
  };
}

function unique(runs: readonly RunRow[]): RunRow[] {
  return [...new Map(runs.map((run) => [run.id, run])).values()];
}

/** While the list is scrolled down, new runs wait above and don't push it. */
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
  const visible = useMemo(() => all.slice(held), [all, held]);
  const showNew = () => {
    setAnchor(null);
    box.current?.scrollTo({ top: 0 });
  };
  return { visible, held, showNew };
}
