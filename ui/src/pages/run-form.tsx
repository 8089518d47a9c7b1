import { useQuery } from "@tanstack/react-query";
import { useParams, useSearch } from "@tanstack/react-router";
import { runQuery } from "../api/flow-runs";
import { flowQuery } from "../api/flows";
import { NoFlow } from "../features/flow/no-flow";
import { RunForm } from "../features/run-form/run-form";
import { Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

export function RunFormPage() {
  const { flowId } = useParams({ from: "/app/flows/$flowId/run" });
  const { from } = useSearch({ from: "/app/flows/$flowId/run" });
  const flow = useQuery(flowQuery(flowId));
  const source = useQuery({ ...runQuery(from ?? ""), enabled: Boolean(from) });
  usePageTitle(flow.data ? `Run ${flow.data.name}` : "Run");
  if (flow.isPending || (from && source.isPending)) return <Skeleton rows={10} label="the form" />;
  if (!flow.data && flow.isError)
    return <Failure error={flow.error} retry={() => void flow.refetch()} what="The flow" />;
  if (!flow.data) return <NoFlow />;
  return <RunForm key={flow.data.id} flow={flow.data} source={source.data ?? null} />;
}
