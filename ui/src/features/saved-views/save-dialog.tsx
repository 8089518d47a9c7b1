import { useState } from "react";
import { saveView } from "../../api/saved-views";
import type { RunView } from "../../lib/run-filter";
import { contentOf, namedView, type SavedView } from "../../lib/saved-views";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";
import { FormDialog } from "../people/form-dialog";
import { useViewChange } from "./use-view-change";

interface Props {
  view: RunView;
  columns: readonly string[];
  views: readonly SavedView[];
  onClose: () => void;
  onSaved: (columns: string[]) => void;
}

/** Saves what the page shows under a name; under one that exists, it takes the place of that view. */
export default function SaveDialog({ view, columns, views, onClose, onSaved }: Props) {
  const [name, setName] = useState("");
  const [isDefault, setDefault] = useState(false);
  const save = useViewChange(saveView);
  const known = namedView(views, name);
  const submit = () => {
    const content = contentOf(name.trim(), view, columns, isDefault || null);
    save.mutate(content, {
      onSuccess: () => {
        toast(`The view ${content.name} is saved.`);
        onSaved(content.columns);
        onClose();
      },
    });
  };
  return (
    <FormDialog
      title="Save this view"
      keep="Cancel"
      confirm={known ? `Replace ${known.name}` : "Save view"}
      isPending={save.isPending}
      isDisabled={name.trim() === ""}
      error={save.error}
      onClose={onClose}
      onSubmit={submit}
    >
      <p className="view-query">
        <span className="mono">{view.q || "All runs"}</span>
        <span className="muted"> with its order and columns. Only you see it, in each browser.</span>
      </p>
      <TextInput
        label="Name"
        value={name}
        onChange={setName}
        maxLength={60}
        autoFocus
        list="view-names"
        help={known ? `It takes the place of your view ${known.name}.` : ""}
      />
      <datalist id="view-names">
        {views.map((one) => (
          <option key={one.id} value={one.name} />
        ))}
      </datalist>
      <label className="row">
        <input type="checkbox" checked={isDefault} onChange={(event) => setDefault(event.target.checked)} />
        Open Runs with it
      </label>
    </FormDialog>
  );
}
