import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { deleteRun, type Run } from "../../api/flow-runs";
import { flowRunKeys } from "../../api/keys";
import { keyPerContent } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";

export function DeleteDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const [withKey] = useState(keyPerContent);
  const client = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: (reason: string) => deleteRun(run.id, withKey({ reason })),
    onSuccess: async () => {
      toast(`Deleted ${run.flow.name} / ${run.name}.`);
      await navigate({ to: "/runs" });
      await client.invalidateQueries({ queryKey: flowRunKeys.lists });
    },
  });
  return (
    <ConfirmDialog
      title={`Delete ${run.flow.name} / ${run.name} permanently?`}
      isOpen
      onClose={onClose}
      keep="Keep run"
      confirm="Delete run"
      isDanger
      isPending={remove.isPending}
      error={remove.error}
      onConfirm={(reason) => remove.mutate(reason)}
    >
      <p className="muted">Its task runs, history and logs are deleted with it. This can't be undone.</p>
    </ConfirmDialog>
  );
}
