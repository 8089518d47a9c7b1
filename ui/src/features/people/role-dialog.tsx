import { useState } from "react";
import { editUser, type User } from "../../api/people";
import type { Keyed } from "../../lib/keys";
import { ROLES, type Role, wordOf } from "../../lib/people";
import { toast } from "../../ui/toasts";
import { ChoiceField } from "./choice-field";
import { FormDialog } from "./form-dialog";
import { useChange } from "./use-change";

export function RoleDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const [role, setRole] = useState<Role>(user.role);
  const edit = useChange(
    (content: Keyed<{ role: Role }>) => editUser(user.id, content),
    (edited) => {
      toast(`${edited.username}: ${wordOf(ROLES, user.role)} → ${wordOf(ROLES, edited.role)}.`);
      onClose();
    },
  );
  return (
    <FormDialog
      title={`Role of ${user.username}`}
      onClose={onClose}
      keep="Keep role"
      confirm="Change role"
      isPending={edit.isPending}
      isDisabled={role === user.role}
      error={edit.error}
      onSubmit={() => edit.mutate({ role })}
    >
      <ChoiceField label="Role" value={role} onChange={setRole} choices={ROLES} />
      <p className="muted">Counts at once, also for open sessions and existing tokens.</p>
    </FormDialog>
  );
}
