import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { FieldError, Label, Text, TextArea, TextField } from "react-aria-components";
import { projectsQuery } from "../../api/life-cycle";
import { type Secret, setSecret } from "../../api/secrets";
import { NAME_HELP, nameError, valueError } from "../../lib/secrets";
import { Dialog } from "../../ui/dialog";
import { FormEnd } from "../../ui/form-end";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";
import { useSecretChange } from "./use-secret-change";

interface Props {
  secrets: readonly Secret[];
  /** The secret whose value is replaced; null for a new one. */
  secret: Secret | null;
  onClose: () => void;
}

export function SetSecretDialog({ secrets, secret, onClose }: Props) {
  const projects = useQuery(projectsQuery(false));
  const [project, setProject] = useState(secret?.projectName ?? "");
  const [name, setName] = useState(secret?.name ?? "");
  const [value, setValue] = useState("");
  const [isSubmitted, setSubmitted] = useState(false);
  const set = useSecretChange(setSecret, (saved: Secret) => {
    toast(`Secret ${saved.name} of project ${saved.projectName} is set.`);
    onClose();
  });
  const wanted = { project: project.trim(), name: name.trim() };
  const errors = {
    project: wanted.project ? "" : "Enter a project.",
    name: nameError(wanted.name),
    value: valueError(value),
  };
  const known = secrets.some((one) => one.projectName === wanted.project && one.name === wanted.name);
  const shown = (error: string) => (isSubmitted ? error : "");
  return (
    <Dialog title={secret ? `Replace the value of ${secret.name}` : "New secret"} isOpen onClose={onClose}>
      <form
        className="form"
        noValidate
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          setSubmitted(true);
          if (!set.isPending && !Object.values(errors).some(Boolean)) set.mutate({ ...wanted, value });
        }}
      >
        {!secret && (
          <>
            <TextInput
              label="Project"
              value={project}
              onChange={setProject}
              error={shown(errors.project)}
              list="secret-projects"
              autoFocus
            />
            <datalist id="secret-projects">
              {projects.data?.map(({ id, name }) => (
                <option key={id} value={name} />
              ))}
            </datalist>
            <TextInput label="Name" value={name} onChange={setName} error={shown(errors.name)} help={NAME_HELP} />
          </>
        )}
        <TextField
          className="field"
          value={value}
          onChange={setValue}
          isInvalid={Boolean(shown(errors.value))}
          validationBehavior="aria"
          autoFocus={secret !== null}
        >
          <Label className="field-label">Value</Label>
          <TextArea className="input area mono" rows={4} spellCheck={false} autoComplete="off" />
          {!shown(errors.value) && (
            <Text slot="description" className="field-help">
              Nobody can see it again. Runs that begin to use the secret from now on get it.
            </Text>
          )}
          <FieldError className="field-error">{shown(errors.value)}</FieldError>
        </TextField>
        {!secret && known && <p className="muted">This secret already exists; saving replaces its value.</p>}
        <FormEnd
          keep={secret ? "Keep value" : "Close"}
          confirm={secret || known ? "Replace value" : "Create secret"}
          isPending={set.isPending}
          error={set.error}
          onClose={onClose}
        />
      </form>
    </Dialog>
  );
}
