import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { edit, type Target } from "../../api/life-cycle";
import { newKey } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";

export function RenameDialog({ target, onClose }: { target: Target; onClose: () => void }) {
  const [name, setName] = useState(target.name);
  const client = useQueryClient();
  const rename = useMutation({
    mutationFn: (reason: string) => edit(target, { name: name.trim(), reason, idempotencyKey: newKey() }),
    onSuccess: () => {
      toast(`Renamed ${target.name} to ${name.trim()}.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  return (
    <ConfirmDialog
      title={`Rename ${target.noun} ${target.name}`}
      isOpen
      onClose={onClose}
      keep="Keep name"
      confirm="Rename"
      isPending={rename.isPending}
      isDisabled={name.trim() === "" || name.trim() === target.name}
      error={rename.error}
      reasonHelp="Recorded with the event."
      onConfirm={(reason) => rename.mutate(reason)}
    >
      <TextInput label="Name" value={name} onChange={setName} />
      <p className="muted">
        {target.noun === "flow"
          ? "Its runs, versions and schedules stay. Use the new name in the code too: registering it under the old one is refused."
          : "Its flows stay. Register with the new name from now on: the old one is refused."}
      </p>
    </ConfirmDialog>
  );
}
