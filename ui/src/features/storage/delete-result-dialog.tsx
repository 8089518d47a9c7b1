import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { deleteKeptResult, type KeptResult } from "../../api/kept";
import { keptKeys } from "../../api/keys";
import { keyPerContent } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";

export function DeleteResultDialog({ result, onClose }: { result: KeptResult; onClose: () => void }) {
  const client = useQueryClient();
  const [withKey] = useState(keyPerContent);
  const remove = useMutation({
    mutationFn: () => deleteKeptResult(withKey({ resultId: result.id })),
    onSuccess: () => {
      toast(`Result ${result.location} of project ${result.projectName} is deleted.`);
      void client.invalidateQueries({ queryKey: keptKeys.all });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      title="Delete this result?"
      isOpen
      onClose={onClose}
      keep="Keep result"
      confirm="Delete result"
      isDanger
      isPending={remove.isPending}
      error={remove.error}
      hasReason={false}
      onConfirm={() => remove.mutate()}
    >
      <p className="mono">{result.location}</p>
      <p className="muted">
        {result.flowRunId
          ? "A restart of its run runs the tasks again whose results are in it."
          : "Runs that need it create it again."}{" "}
        This can't be undone.
      </p>
    </ConfirmDialog>
  );
}
