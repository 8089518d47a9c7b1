import { editUser, type User } from "../../api/people";
import type { Keyed } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";
import { useChange } from "./use-change";

export function DisableDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const disable = useChange(
    (content: Keyed<{ disabled: true }>) => editUser(user.id, content),
    () => {
      toast(`${user.username} is disabled.`);
      onClose();
    },
  );
  return (
    <ConfirmDialog
      title={`Disable ${user.username}?`}
      isOpen
      onClose={onClose}
      keep="Keep enabled"
      confirm="Disable user"
      isDanger
      isPending={disable.isPending}
      error={disable.error}
      hasReason={false}
      onConfirm={() => disable.mutate({ disabled: true })}
    >
      <p className="muted">
        Signs them out of every browser, and their tokens stop working until somebody enables them again.
      </p>
    </ConfirmDialog>
  );
}
