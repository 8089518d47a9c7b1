import { type ReactNode, useState } from "react";
import { Button, FieldError, Input, Label, Text, TextArea, TextField } from "react-aria-components";
import { EMPTY, type Field, tellsEmptyFromNone } from "../../lib/form-model";
import { isLocal } from "../../lib/local-time";

/** The kinds with a picker of the browser's, each with the texts that it can show. */
const PICKERS: {
  [kind in Field["kind"]]?: { type: "date" | "datetime-local" | "time"; shows: (text: string) => boolean };
} = {
  date: { type: "date", shows: (text) => /^(?:\d{4}-\d\d-\d\d)?$/.test(text) },
  datetime: { type: "datetime-local", shows: isLocal },
  time: { type: "time", shows: (text) => /^(?:\d\d:\d\d(?::\d\d)?)?$/.test(text) },
};
const TYPE_WORDS: Record<Field["kind"], string> = {
  text: "text",
  integer: "whole number",
  number: "number",
  decimal: "decimal number",
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
  return <TextControl field={field} text={text} error={error} onChange={onChange} onBlur={onBlur} label={label} />;
}

function TextControl({ field, text, error, onChange, onBlur, label }: Omit<Props, "changed"> & { label: ReactNode }) {
  const id = `parameter-${field.name}`;
  const [isLong] = useState(() => text.includes("\n"));
  const picker = PICKERS[field.kind];
  // Once it is a field of text, it stays one: it must not turn into a picker under the hands of somebody who types.
  const [isTyped, setTyped] = useState(() => picker !== undefined && !picker.shows(text));
  const picks = picker !== undefined && !isTyped && picker.shows(text);
  return (
    <TextField
      className="field"
      id={id}
      value={text === EMPTY ? "" : text}
      onChange={onChange}
      onBlur={onBlur}
      isInvalid={Boolean(error)}
      isRequired={field.required && field.kind !== "text"}
      validationBehavior="aria"
      inputMode={field.kind === "integer" ? "numeric" : isNumber(field) ? "decimal" : undefined}
      type={picks ? picker.type : "text"}
    >
      <Label className="field-label">{label}</Label>
      {field.kind === "json" || isLong ? (
        <TextArea
          className="input area mono"
          rows={Math.min(12, Math.max(3, text.split("\n").length))}
          spellCheck={false}
        />
      ) : (
        <Input className="input" step={picks && picker.type !== "date" ? 1 : undefined} />
      )}
      {picks && (
        <Button className="button small quiet" onPress={() => setTyped(true)}>
          Enter as text
        </Button>
      )}
      {tellsEmptyFromNone(field) && (text === "" || text === EMPTY) && (
        <label className="row">
          <input
            type="checkbox"
            checked={text === EMPTY}
            onChange={(event) => onChange(event.target.checked ? EMPTY : "")}
          />
          Empty text
        </label>
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

function isNumber(field: Field): boolean {
  return field.kind === "number" || field.kind === "decimal";
}

function Help({ field, id }: { field: Field; id: string }) {
  return (
    <div className="field-help" id={`${id}-help`}>
      <HelpText field={field} />
    </div>
  );
}

function HelpText({ field }: { field: Field }) {
  const preset = field.initial === EMPTY ? '""' : field.initial.replace(/\s+/g, " ").slice(0, 80);
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
