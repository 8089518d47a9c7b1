import { deleteSecret, type Secret } from "../../api/secrets";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";
import { Users } from "./secrets-table";
import { useSecretChange } from "./use-secret-change";

export function DeleteSecretDialog({ secret, onClose }: { secret: Secret; onClose: () => void }) {
  const remove = useSecretChange(deleteSecret, () => {
    toast(`Secret ${secret.name} of project ${secret.projectName} is deleted.`);
    onClose();
  });
  return (
    <ConfirmDialog
      title={`Delete secret ${secret.name}?`}
      isOpen
      onClose={onClose}
      keep="Keep secret"
      confirm="Delete secret"
      isDanger
      isPending={remove.isPending}
      error={remove.error}
      hasReason={false}
      onConfirm={() => remove.mutate({ secretId: secret.id })}
    >
      <p>
        {secret.userCount > 0 && "Used by "}
        <Users secret={secret} />
      </p>
      <p className="muted">Runs that ask for it from now on fail. This can't be undone.</p>
    </ConfirmDialog>
  );
}
