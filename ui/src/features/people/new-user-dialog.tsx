import { useState } from "react";
import { createUser } from "../../api/people";
import { ROLES, type Role } from "../../lib/people";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";
import { isLongEnough, NewPasswordInput } from "../session/new-password-input";
import { ChoiceField } from "./choice-field";
import { FormDialog } from "./form-dialog";
import { MustChange } from "./must-change";
import { useChange } from "./use-change";

export function NewUserDialog({ onClose }: { onClose: () => void }) {
  const [username, setUsername] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [password, setPassword] = useState("");
  const [mustChange, setMustChange] = useState(true);
  const [isSubmitted, setSubmitted] = useState(false);
  const create = useChange(createUser, (user) => {
    toast(`${user.username} can sign in now.`);
    onClose();
  });
  return (
    <FormDialog
      title="Add a user"
      onClose={onClose}
      keep="Close"
      confirm="Add user"
      isPending={create.isPending}
      error={create.error}
      onSubmit={() => {
        setSubmitted(true);
        if (username.trim() && isLongEnough(password))
          create.mutate({ username: username.trim(), password, role, must_change: mustChange });
      }}
    >
      <TextInput
        label="User name"
        value={username}
        onChange={setUsername}
        error={isSubmitted && !username.trim() ? "Enter a name." : undefined}
        autoComplete="off"
        autoFocus
        isRequired
      />
      <ChoiceField label="Role" value={role} onChange={setRole} choices={ROLES} />
      <NewPasswordInput label="Password" value={password} onChange={setPassword} isMissing={isSubmitted && !password} />
      <MustChange when="first" isOn={mustChange} onChange={setMustChange} />
      <p className="muted">Tell them the password yourself.</p>
    </FormDialog>
  );
}
