import { useState } from "react";
import { editView } from "../../api/saved-views";
import type { SavedView } from "../../lib/saved-views";
import { TextInput } from "../../ui/text-input";
import { FormDialog } from "../people/form-dialog";
import { useViewChange } from "./use-view-change";

export default function RenameDialog({ view, onClose }: { view: SavedView; onClose: () => void }) {
  const [name, setName] = useState(view.name);
  const rename = useViewChange(editView);
  return (
    <FormDialog
      title={`Rename ${view.name}`}
      keep="Cancel"
      confirm="Rename"
      isPending={rename.isPending}
      isDisabled={name.trim() === ""}
      error={rename.error}
      onClose={onClose}
      onSubmit={() => rename.mutate({ savedViewId: view.id, name }, { onSuccess: onClose })}
    >
      <TextInput label="Name" value={name} onChange={setName} maxLength={60} autoFocus />
    </FormDialog>
  );
}
