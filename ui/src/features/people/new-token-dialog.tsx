import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { createToken, usersQuery } from "../../api/people";
import { useSession } from "../../api/session";
import { LIFETIMES, SCOPES, type Scope } from "../../lib/people";
import { SelectField } from "../../ui/select-field";
import { TextInput } from "../../ui/text-input";
import { ChoiceField } from "./choice-field";
import { FormDialog } from "./form-dialog";
import { SecretDialog } from "./secret-dialog";
import { useChange } from "./use-change";

export function NewTokenDialog({ onClose }: { onClose: () => void }) {
  const own = useSession().me?.username ?? "";
  const users = useQuery(usersQuery);
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Scope>("user");
  const [username, setUsername] = useState(own);
  const [lifetime, setLifetime] = useState("");
  const [isSubmitted, setSubmitted] = useState(false);
  const create = useChange(createToken);
  if (create.data) return <SecretDialog created={create.data} onClose={onClose} />;
  const others = users.data?.filter((user) => !user.disabled && user.username !== own) ?? [];
  return (
    <FormDialog
      title="New token"
      onClose={onClose}
      keep="Close"
      confirm="Create token"
      isPending={create.isPending}
      error={create.error}
      onSubmit={() => {
        setSubmitted(true);
        if (name.trim())
          create.mutate({ name: name.trim(), scope, username, ...(lifetime && { expires_in: Number(lifetime) }) });
      }}
    >
      <TextInput
        label="Name"
        value={name}
        onChange={setName}
        help="What uses it, such as the name of a program."
        error={isSubmitted && !name.trim() ? "Enter a name." : undefined}
        autoComplete="off"
        autoFocus
        isRequired
      />
      <ChoiceField label="Scope" value={scope} onChange={setScope} choices={SCOPES} />
      <SelectField
        label="User"
        value={username}
        onChange={setUsername}
        options={[own, ...others.map((user) => user.username)].map((value) => ({ value, text: value }))}
        help="It stops working when this user is disabled or deleted."
      />
      <SelectField label="Lasts for" value={lifetime} onChange={setLifetime} options={LIFETIMES} />
    </FormDialog>
  );
}
