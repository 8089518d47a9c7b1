import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { type Flow, flowTasksQuery } from "../../api/flows";
import { TasksTable } from "../../features/flow/tasks-table";
import { useFlow } from "../../features/flow/use-flow";
import { FIRST_SORT } from "../../lib/task-figures";
import { Failure, Skeleton } from "../../ui/notice";

export function FlowTasksPage() {
  const flow = useFlow();
  return flow && <Tasks flow={flow} />;
}

function Tasks({ flow }: { flow: Flow }) {
  const { sort } = useSearch({ from: "/app/flows/$flowId/tasks" });
  const query = useQuery(flowTasksQuery(flow.id));
  if (query.isPending) return <Skeleton rows={12} label="the tasks" />;
  if (!query.data) return <Failure error={query.error} retry={() => void query.refetch()} what="The tasks" />;
  return <TasksTable flow={flow} found={query.data} sort={sort ?? FIRST_SORT} />;
}
