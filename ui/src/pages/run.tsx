import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { runQuery } from "../api/flow-runs";
import { DeadEnd } from "../features/palette/dead-end";
import { useRecent } from "../features/palette/recent";
import { RunSkeleton } from "../features/run/run-skeleton";
import { RunView } from "../features/run/run-view";
import { lookOf } from "../lib/states";
import { Failure } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

export function RunPage() {
  const { runId } = useParams({ from: "/app/runs/$runId" });
  const query = useQuery(runQuery(runId));
  const run = query.data;
  usePageTitle(run ? `${run.flow.name} ${run.name}` : "Run", run ? lookOf(run.state).family : undefined);
  useRecent(`/runs/${runId}`, run && `${run.flow.name} ${run.name}`);
  if (query.isPending) return <RunSkeleton />;
  if (!run && query.isError) return <Failure error={query.error} retry={() => void query.refetch()} what="The run" />;
  if (!run) {
    return (
      <DeadEnd
        title="There is no run with this ID."
        action={
          <Link to="/runs" className="button primary">
            Go to runs
          </Link>
        }
      >
        It may have been deleted, or the link is incomplete.
      </DeadEnd>
    );
  }
  return <RunView key={run.id} run={run} />;
}
