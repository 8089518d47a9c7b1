import { useMutation, useQueryClient } from "@tanstack/react-query";
import { edit, type Target } from "../../api/life-cycle";
import { newKey } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";

export function ArchiveDialog({ target, onClose }: { target: Target; onClose: () => void }) {
  const client = useQueryClient();
  const archive = useMutation({
    mutationFn: (reason: string) => edit(target, { archived: true, reason, idempotencyKey: newKey() }),
    onSuccess: () => {
      toast(`Archived ${target.name}.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  return (
    <ConfirmDialog
      title={`Archive ${target.noun} ${target.name}?`}
      isOpen
      onClose={onClose}
      keep="Keep active"
      confirm="Archive"
      isPending={archive.isPending}
      error={archive.error}
      reasonHelp="Recorded with the event."
      onConfirm={(reason) => archive.mutate(reason)}
    >
      <p className="muted">
        {target.noun === "flow" ? "It leaves the list" : "Its flows leave the list"}, no runs start or are planned, and
        new runs and versions are refused. Runs in progress continue. You can take it out of the archive again.
      </p>
    </ConfirmDialog>
  );
}
