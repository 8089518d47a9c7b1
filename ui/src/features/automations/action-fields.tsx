import { Label, Text, TextArea, TextField } from "react-aria-components";
import { acts, type Draft, type Kind, kindsFor, SECRET_HELP, URL_HELP } from "../../lib/automations";
import { SelectField } from "../../ui/select-field";
import { TextInput } from "../../ui/text-input";

interface Part {
  draft: Draft;
  write: (change: Partial<Draft>) => void;
}

/** What an automation does, and what that needs. */
export function ActionFields({ draft, write }: Part) {
  return (
    <>
      <SelectField
        label="then"
        value={draft.kind}
        options={kindsFor(draft.subject)}
        onChange={(kind) => write({ kind: kind as Kind })}
        help={acts(draft.kind) ? "With your rights at that moment, and under the automation’s name." : undefined}
      />
      {draft.kind === "START" ? (
        <StartFields draft={draft} write={write} />
      ) : draft.kind === "SET_LIMIT" ? (
        <LimitFields draft={draft} write={write} />
      ) : acts(draft.kind) ? null : (
        <TargetFields draft={draft} write={write} />
      )}
      <TextInput
        label={acts(draft.kind) ? "Reason (optional)" : "Text (optional)"}
        value={draft.text}
        onChange={(text) => write({ text })}
        help={`${acts(draft.kind) ? "For the history of what it changes." : "Empty: the usual sentence."} {flow}, {run}, {message} and other fields are filled in.`}
      />
    </>
  );
}

function TargetFields({ draft, write }: Part) {
  const secretHelp = SECRET_HELP[draft.kind];
  return (
    <>
      {draft.kind === "EMAIL" ? (
        <TextInput
          label="To"
          value={draft.to}
          onChange={(to) => write({ to })}
          help="Addresses, separated by commas."
        />
      ) : (
        <TextInput
          label="URL"
          value={draft.url}
          onChange={(url) => write({ url })}
          help={URL_HELP[draft.kind] ?? ""}
          spellCheck="false"
        />
      )}
      {secretHelp && (
        <TextInput
          label="Secret"
          value={draft.secret}
          onChange={(secret) => write({ secret })}
          help={secretHelp}
          spellCheck="false"
        />
      )}
    </>
  );
}

function StartFields({ draft, write }: Part) {
  return (
    <>
      <TextInput
        label="of flow"
        value={draft.flow}
        onChange={(flow) => write({ flow })}
        help="As project/NAME."
        spellCheck="false"
      />
      <TextField
        className="field"
        value={draft.parameters}
        onChange={(parameters) => write({ parameters })}
        spellCheck="false"
      >
        <Label className="field-label">Parameters (JSON)</Label>
        <TextArea className="input area mono" rows={3} />
        <Text slot="description" className="field-help">
          {'Fields in texts are filled in: {"cause": "{flow}: {message}"}'}
        </Text>
      </TextField>
      <TextInput
        label="Labels (optional)"
        value={draft.labels}
        onChange={(labels) => write({ labels })}
        help="Separated by commas. Empty: those of the flow."
      />
      <TextInput
        label="Name of the run (optional)"
        value={draft.runName}
        onChange={(runName) => write({ runName })}
        help="Such as: after {run}"
      />
    </>
  );
}

function LimitFields({ draft, write }: Part) {
  return (
    <div className="automation-rate">
      <TextInput label="of task tag" value={draft.tag} onChange={(tag) => write({ tag })} spellCheck="false" />
      <TextInput
        label="to"
        value={draft.slots}
        onChange={(slots) => write({ slots })}
        inputMode="numeric"
        help="Slots; 0 lets nothing start."
      />
    </div>
  );
}
