import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { FieldError, Label, Text, TextArea, TextField } from "react-aria-components";
import { type Flow, setFlowDefaults } from "../../api/flows";
import type { SetFlowDefaultsInput } from "../../api/generated";
import { readObject } from "../../lib/flow-defaults";
import { printJson } from "../../lib/json";
import { keyPerContent } from "../../lib/keys";
import { Dialog } from "../../ui/dialog";
import { FormEnd } from "../../ui/form-end";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";

interface Props {
  flow: Flow;
  isOpen: boolean;
  onClose: () => void;
}

export function DefaultsDialog(props: Props) {
  return (
    <Dialog title="Defaults of new runs" isOpen={props.isOpen} onClose={props.onClose}>
      <Form {...props} />
    </Dialog>
  );
}

const textOf = (value: unknown) => (Object.keys(value as object).length === 0 ? "" : printJson(value, 2));

function Form({ flow, onClose }: Props) {
  const client = useQueryClient();
  const [withKey] = useState(keyPerContent);
  const [parameters, setParameters] = useState(textOf(flow.defaults.parameters));
  const [runConfig, setRunConfig] = useState(textOf(flow.defaults.runConfig));
  const [labels, setLabels] = useState(flow.defaults.labels?.join(", ") ?? "");
  const [ofCode, setOfCode] = useState(flow.defaults.labels === null);
  const [isSubmitted, setSubmitted] = useState(false);
  const save = useMutation({
    mutationFn: (input: SetFlowDefaultsInput) => setFlowDefaults(withKey(input)),
    onSuccess: (saved) => {
      toast(`New runs of ${saved.name} have these defaults.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  const values = readObject(parameters);
  const config = readObject(runConfig);
  return (
    <form
      className="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setSubmitted(true);
        if ("error" in values || "error" in config || save.isPending) return;
        const names = labels.split(",").map((label) => label.trim());
        save.mutate({
          flowId: flow.id,
          parameters: values.value,
          labels: ofCode ? null : names.filter(Boolean),
          runConfig: config.value,
        });
      }}
    >
      <JsonField
        label="Parameters"
        help="A JSON object of names and values. Schedules and single runs may say others."
        text={parameters}
        error={isSubmitted && "error" in values ? values.error : ""}
        onChange={setParameters}
      />
      <label className="row">
        <input type="checkbox" checked={ofCode} onChange={(event) => setOfCode(event.target.checked)} />
        Labels of the code
      </label>
      {!ofCode && (
        <TextInput
          label="Labels"
          value={labels}
          onChange={setLabels}
          help="Separated by commas; none means any agent."
        />
      )}
      <JsonField
        label="Run config"
        help={'Such as {"env": {"MODE": "full"}}. A variable shown as "(not shown)" keeps its value.'}
        text={runConfig}
        error={isSubmitted && "error" in config ? config.error : ""}
        onChange={setRunConfig}
      />
      <FormEnd keep="Close" confirm="Save" isPending={save.isPending} error={save.error} onClose={onClose} />
    </form>
  );
}

function JsonField(props: {
  label: string;
  help: string;
  text: string;
  error: string;
  onChange: (text: string) => void;
}) {
  const { label, help, text, error, onChange } = props;
  return (
    <TextField className="field" value={text} onChange={onChange} isInvalid={Boolean(error)} validationBehavior="aria">
      <Label className="field-label">{label}</Label>
      <TextArea className="input area mono" rows={4} spellCheck={false} />
      {!error && (
        <Text slot="description" className="field-help">
          {help}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
    </TextField>
  );
}
