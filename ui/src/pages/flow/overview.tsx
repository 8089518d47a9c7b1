import { useQuery } from "@tanstack/react-query";
import { type Flow, flowHistoryQuery } from "../../api/flows";
import { DurationTrend } from "../../features/flow/duration-trend";
import { FailureCauses } from "../../features/flow/failure-causes";
import { RecentRuns } from "../../features/flow/recent-runs";
import { UsageCard } from "../../features/flow/usage-card";
import { useFlow } from "../../features/flow/use-flow";
import { ParametersCard, VersionCard } from "../../features/flow/version-cards";
import { Failure, Skeleton } from "../../ui/notice";

export function FlowOverview() {
  const flow = useFlow();
  if (!flow) return null;
  return (
    <div className="flow-grid">
      <div className="flow-main">
        <History flow={flow} />
        <RecentRuns flow={flow} />
      </div>
      <div className="flow-side">
        <UsageCard flow={flow} />
        <VersionCard flow={flow} />
        <ParametersCard flow={flow} />
      </div>
    </div>
  );
}

function History({ flow }: { flow: Flow }) {
  const query = useQuery(flowHistoryQuery(flow.id));
  if (query.isPending) return <Skeleton rows={8} label="the history" />;
  if (!query.data) return <Failure error={query.error} retry={() => void query.refetch()} what="The history" />;
  return (
    <>
      <DurationTrend history={query.data} />
      <FailureCauses history={query.data} />
    </>
  );
}
