/** Resumes a run that is paused or waits for its next attempt: with a list of what runs again, and on any agent if necessary. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Run, resumeRun } from "../../api/flow-runs";
import { keyPerContent } from "../../lib/keys";
import { selectionOf } from "../../lib/task-selection";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";
import { ContinuationPreview, useContinuation } from "./continuation";

interface Props {
  run: Run;
  /** The only task to resume; the others stay paused. */
  task?: { taskSlug: string; mapIndex: number };
  onClose: () => void;
}

export default function ResumeDialog({ run, task, onClose }: Props) {
  const [anywhere, setAnywhere] = useState(false);
  const [withKey] = useState(keyPerContent);
  const client = useQueryClient();
  const only = task && { taskSlug: task.taskSlug, ...(task.mapIndex >= 0 && { mapIndex: task.mapIndex }) };
  const request = { anywhere, ...only };
  const { data: found } = useContinuation(run, request);
  const resume = useMutation({
    mutationFn: (reason: string) => resumeRun(run.id, withKey({ ...request, reason })),
    onSuccess: () => {
      toast(`Resuming ${run.flow.name} / ${run.name}.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  return (
    <ConfirmDialog
      title={task ? `Approve ${selectionOf(task.taskSlug, task.mapIndex)}` : `Resume ${run.flow.name} / ${run.name}`}
      isOpen
      onClose={onClose}
      keep="Keep as is"
      confirm={task ? "Approve" : "Resume"}
      isPending={resume.isPending}
      isDisabled={found?.refusal !== "" || (found.verb === "wait" && !anywhere)}
      error={resume.error}
      onConfirm={(reason) => resume.mutate(reason)}
    >
      <ContinuationPreview run={run} request={request} onAnywhere={setAnywhere} />
    </ConfirmDialog>
  );
}
