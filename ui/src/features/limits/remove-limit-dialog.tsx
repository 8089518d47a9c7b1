import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type Limit, removeLimit } from "../../api/limits";
import { kindWord } from "../../lib/limits";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";

export function RemoveLimitDialog({ limit, onClose }: { limit: Limit | null; onClose: () => void }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: (target: Limit) => removeLimit(target.id),
    onSuccess: (_, target) => {
      toast(`${kindWord(target.kind)} ${target.name} no longer has a limit.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  const close = () => {
    remove.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      title={limit ? `Remove the limit of ${kindWord(limit.kind).toLowerCase()} ${limit.name}?` : ""}
      isOpen={limit !== null}
      onClose={close}
      keep="Keep limit"
      confirm="Remove limit"
      isDanger
      isPending={remove.isPending}
      error={remove.error}
      hasReason={false}
      onConfirm={() => limit && remove.mutate(limit)}
    >
      <p className="muted">Anything that waits for one of its slots can start immediately.</p>
    </ConfirmDialog>
  );
}
