/** A person says how a run, or one of its tasks, ended. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { markRun, type Run } from "../../api/flow-runs";
import type { MarkedState } from "../../lib/bulk";
import { newKey } from "../../lib/keys";
import { selectionOf, type TaskRun } from "../../lib/timeline";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";
import { MarkedStateField } from "../runs/marked-state-field";

export function MarkDialog({ run, task, onClose }: { run: Run; task?: TaskRun; onClose: () => void }) {
  const [state, setState] = useState<MarkedState>("Success");
  const [key] = useState(newKey);
  const client = useQueryClient();
  const what = task ? selectionOf(task.taskSlug, task.mapIndex) : `${run.flow.name} / ${run.name}`;
  const mark = useMutation({
    mutationFn: (reason: string) =>
      markRun(run.id, {
        state,
        reason,
        idempotencyKey: key,
        ...(task && { taskSlug: task.taskSlug, mapIndex: task.mapIndex }),
      }),
    onSuccess: () => {
      toast(`${what} is marked as ${state}.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  return (
    <ConfirmDialog
      title={`Set how ${what} ended?`}
      isOpen
      onClose={onClose}
      keep="Leave as it is"
      confirm="Mark"
      isPending={mark.isPending}
      error={mark.error}
      onConfirm={(reason) => mark.mutate(reason)}
    >
      <p className="muted">
        {task
          ? "The run stays as it is: restart or resume it to go on from there. A success without a stored result has no value for what comes after it."
          : "It is recorded that you say so. Nothing runs again by it."}
      </p>
      <MarkedStateField value={state} onChange={setState} />
    </ConfirmDialog>
  );
}
