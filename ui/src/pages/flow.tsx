import { useQuery } from "@tanstack/react-query";
import { Outlet, useParams } from "@tanstack/react-router";
import { flowQuery } from "../api/flows";
import { FlowView } from "../features/flow/flow-view";
import { NoFlow } from "../features/flow/no-flow";
import { useRecent } from "../features/palette/recent";
import { Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

export function FlowPage() {
  const { flowId } = useParams({ from: "/app/flows/$flowId" });
  const query = useQuery(flowQuery(flowId));
  usePageTitle(query.data?.name ?? "Flow");
  useRecent(`/flows/${flowId}`, query.data?.name);
  if (query.isPending) return <Skeleton rows={20} label="the flow" />;
  if (!query.data && query.isError)
    return <Failure error={query.error} retry={() => void query.refetch()} what="The flow" />;
  if (!query.data) return <NoFlow />;
  return (
    <FlowView flow={query.data}>
      <Outlet />
    </FlowView>
  );
}
