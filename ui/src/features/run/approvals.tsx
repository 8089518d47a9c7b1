/** The tasks of a paused run that wait for a person, with a button for each; "Resume" in the header approves all. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import { approveTask, continuationOf, type Run } from "../../api/flow-runs";
import { pausedTasksQuery } from "../../api/task-runs";
import { isSurprising } from "../../lib/continuation";
import { newKey } from "../../lib/keys";
import type { TaskGroup, TaskRun } from "../../lib/task-groups";
import { selectionOf } from "../../lib/task-selection";
import { toast, toastError } from "../../ui/toasts";
import { useMay, useWriting } from "../session/permissions";

const LISTED = 20;

interface Props {
  run: Run;
  groups: readonly TaskGroup[];
  /** Shows which tasks would run again, if some do that had succeeded. */
  onAsk: (task: TaskRun) => void;
}

export function Approvals({ run, groups, onAsk }: Props) {
  const may = useMay();
  const writing = useWriting();
  const client = useQueryClient();
  const approve = useMutation({
    mutationFn: async (task: TaskRun) => {
      const { taskSlug, mapIndex } = task;
      if (isSurprising(await continuationOf(run.id, { taskSlug, mapIndex: mapIndex < 0 ? null : mapIndex })))
        return false;
      await approveTask(run.id, taskSlug, mapIndex, newKey());
      return true;
    },
    onSuccess: (isDone, task) => {
      if (!isDone) return onAsk(task);
      toast(`Approved ${selectionOf(task.taskSlug, task.mapIndex)}.`);
      return client.invalidateQueries();
    },
    onError: toastError,
  });
  const number = pausedIn(groups);
  const isAsked = run.state.type === "PAUSED" && number > 0 && may("runs:resume");
  const { data: paused } = useQuery({ ...pausedTasksQuery(run.id, LISTED), enabled: isAsked });
  if (!isAsked || !paused?.length) return null;
  return (
    <ul className="approvals" aria-label="Tasks that wait for a person">
      {paused.map((task) => (
        <li key={task.id}>
          <b className="mono">{selectionOf(task.taskSlug, task.mapIndex)}</b>
          <span className="muted clip">{task.state.message}</span>
          <Button
            className="button small"
            isDisabled={!writing.allowed || approve.isPending}
            onPress={() => approve.mutate(task)}
            aria-label={`Approve ${selectionOf(task.taskSlug, task.mapIndex)}`}
          >
            Approve
          </Button>
        </li>
      ))}
      {number > paused.length && <li className="muted">and {number - paused.length} more</li>}
    </ul>
  );
}

function pausedIn(groups: readonly TaskGroup[]): number {
  return groups.reduce((sum, { own, states }) => {
    const children = states.reduce((all, { type, count }) => all + (type === "PAUSED" ? count : 0), 0);
    return sum + children + (own?.state.type === "PAUSED" ? 1 : 0);
  }, 0);
}
