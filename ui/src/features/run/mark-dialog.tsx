/** Sets the final state of a run or of one of its tasks. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { markRun, type Run } from "../../api/flow-runs";
import type { MarkedState } from "../../lib/bulk";
import { keyPerContent } from "../../lib/keys";
import type { TaskRun } from "../../lib/task-groups";
import { selectionOf } from "../../lib/task-selection";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";
import { MarkedStateField } from "../runs/marked-state-field";

export function MarkDialog({ run, task, onClose }: { run: Run; task?: TaskRun; onClose: () => void }) {
  const [state, setState] = useState<MarkedState>("Success");
  const [withKey] = useState(keyPerContent);
  const client = useQueryClient();
  const what = task ? selectionOf(task.taskSlug, task.mapIndex) : `${run.flow.name} / ${run.name}`;
  const mark = useMutation({
    mutationFn: (reason: string) =>
      markRun(run.id, withKey({ state, reason, ...(task && { taskSlug: task.taskSlug, mapIndex: task.mapIndex }) })),
    onSuccess: () => {
      toast(`Marked ${what} as ${state}.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  return (
    <ConfirmDialog
      title={`Set the final state of ${what}?`}
      isOpen
      onClose={onClose}
      keep="Keep as is"
      confirm="Mark"
      isPending={mark.isPending}
      error={mark.error}
      onConfirm={(reason) => mark.mutate(reason)}
    >
      <p className="muted">
        {task
          ? "The run itself does not change: restart or resume it to continue from there. A task marked as Success without a stored result has no value for downstream tasks."
          : "The history records that you set it. Nothing runs again."}
      </p>
      <MarkedStateField value={state} onChange={setState} />
    </ConfirmDialog>
  );
}
