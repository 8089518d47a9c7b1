/** The tasks of a paused run that wait for a person, with a button for each; "Resume" in the header approves all. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import { approveTask, continuationOf, type Run } from "../../api/flow-runs";
import { isSurprising } from "../../lib/continuation";
import { newKey } from "../../lib/keys";
import { selectionOf, type TaskRun } from "../../lib/timeline";
import { toast, toastError } from "../../ui/toasts";
import { useMay, useWriting } from "../session/permissions";

const LISTED = 20;

interface Props {
  run: Run;
  tasks: readonly TaskRun[];
  /** Shows which tasks would run again, if some do that had succeeded. */
  onAsk: (task: TaskRun) => void;
}

export function Approvals({ run, tasks, onAsk }: Props) {
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
  const paused = tasks.filter((task) => task.state.type === "PAUSED");
  if (run.state.type !== "PAUSED" || paused.length === 0 || !may("runs:resume")) return null;
  return (
    <ul className="approvals" aria-label="Tasks that wait for a person">
      {paused.slice(0, LISTED).map((task) => (
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
      {paused.length > LISTED && <li className="muted">and {paused.length - LISTED} more</li>}
    </ul>
  );
}
