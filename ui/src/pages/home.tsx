import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { homeQuery } from "../api/home";
import { AgentsCard } from "../features/home/agents-card";
import { FlowsCard } from "../features/home/flows-card";
import { NeedsCard } from "../features/home/needs-card";
import { NextCard } from "../features/home/next-card";
import { RunningCard } from "../features/home/running-card";
import { SystemCard } from "../features/home/system-card";
import { Verdict } from "../features/home/verdict";
import { Welcome } from "../features/home/welcome";
import { needsOf } from "../lib/home";
import { formatDate } from "../lib/time";
import { useNow } from "../ui/clock";
import { Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import "../features/home/home.css";

/** Is everything fine, and if not, why? */
export function HomePage() {
  const query = useQuery(homeQuery);
  const now = useNow();
  const { data } = query;
  const needs = useMemo(() => (data ? needsOf(data.failures.items) : []), [data]);
  const [title, family] = needs.length > 0 ? ([`${needs.length} · Home`, "failed"] as const) : (["Home"] as const);
  usePageTitle(title, family);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{formatDate(new Date(now))}</h1>
      </div>
      {query.isPending ? (
        <Skeleton rows={16} label="the overview" />
      ) : !data ? (
        <Failure error={query.error as Error} retry={() => void query.refetch()} what="The overview" />
      ) : data.flows.items.length === 0 ? (
        <Welcome agents={data.agents} />
      ) : (
        <>
          <Verdict home={data} isQuiet={needs.length === 0} />
          <div className="home">
            <div className="home-column">
              <NeedsCard home={data} needs={needs} />
              <RunningCard running={data.running} />
              <FlowsCard flows={data.flows.items} hasMore={data.flows.next !== null} />
            </div>
            <div className="home-column">
              <NextCard runs={data.next.items} />
              <AgentsCard agents={data.agents} />
              <SystemCard server={data.server} disk={data.disk} />
            </div>
          </div>
        </>
      )}
    </div>
  );
}
