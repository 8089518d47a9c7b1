import { FieldError, Input, Label, Text, TextArea, TextField } from "react-aria-components";
import type { Field } from "../../lib/form-model";

const INPUT_TYPES = { date: "date", datetime: "datetime-local", time: "time" } as const;
const TYPE_WORDS: Record<Field["kind"], string> = {
  text: "text",
  integer: "whole number",
  number: "number",
  boolean: "yes or no",
  choice: "choice",
  date: "date",
  datetime: "date and time in your time zone",
  time: "time",
  json: "JSON",
};

interface Props {
  field: Field;
  text: string;
  changed: boolean;
  error: string | undefined;
  onChange: (text: string) => void;
  onBlur: () => void;
}

/** One parameter: label above, control, help below. An error replaces the help, so that nothing moves under the
 * pointer. */
export function ParameterField({ field, text, changed, error, onChange, onBlur }: Props) {
  const id = `parameter-${field.name}`;
  const label = (
    <>
      <span className="mono">{field.name}</span>
      {field.required && <span className="required"> required</span>}
      {changed && field.hasDefault && <span className="mark">changed</span>}
    </>
  );
  if (field.kind === "boolean" || field.kind === "choice") {
    const options = field.kind === "boolean" ? [{ text: "true" }, { text: "false" }] : field.choices;
    return (
      <div className="field">
        <label className="field-label" htmlFor={id}>
          {label}
        </label>
        <select
          id={id}
          className="select"
          value={text}
          aria-invalid={error ? true : undefined}
          aria-describedby={`${id}-help ${id}-error`}
          onChange={(event) => onChange(event.target.value)}
          onBlur={onBlur}
        >
          {(text === "" || field.nullable) && <option value="">{field.nullable ? "no value" : "choose…"}</option>}
          {options.map((option) => (
            <option key={option.text} value={option.text}>
              {option.text}
            </option>
          ))}
        </select>
        {!error && <Help field={field} id={id} />}
        <div className="field-error" id={`${id}-error`}>
          {error}
        </div>
      </div>
    );
  }
  const type = INPUT_TYPES[field.kind as keyof typeof INPUT_TYPES];
  return (
    <TextField
      className="field"
      id={id}
      value={text}
      onChange={onChange}
      onBlur={onBlur}
      isInvalid={Boolean(error)}
      isRequired={field.required && field.kind !== "text"}
      validationBehavior="aria"
      inputMode={field.kind === "integer" ? "numeric" : field.kind === "number" ? "decimal" : undefined}
      type={type ?? "text"}
    >
      <Label className="field-label">{label}</Label>
      {field.kind === "json" ? (
        <TextArea
          className="input area mono"
          rows={Math.min(12, Math.max(3, text.split("\n").length))}
          spellCheck={false}
        />
      ) : (
        <Input className="input" step={type === "datetime-local" ? 1 : undefined} />
      )}
      {!error && (
        <Text slot="description" className="field-help">
          <HelpText field={field} />
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
    </TextField>
  );
}

function Help({ field, id }: { field: Field; id: string }) {
  return (
    <div className="field-help" id={`${id}-help`}>
      <HelpText field={field} />
    </div>
  );
}

function HelpText({ field }: { field: Field }) {
  const preset = field.initial.replace(/\s+/g, " ").slice(0, 80);
  return (
    <>
      {field.description && `${field.description} `}
      {TYPE_WORDS[field.kind]}
      {field.hasDefault && (
        <>
          , default <span className="mono">{preset === "" ? "none" : preset}</span>
        </>
      )}
    </>
  );
}
