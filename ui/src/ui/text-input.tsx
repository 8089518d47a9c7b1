import type { ReactNode } from "react";
import { FieldError, Input, Label, Text, TextField, type TextFieldProps } from "react-aria-components";

/** A labelled text field: label above, help and error below. `list` is the id of a `datalist` with suggestions. */
export function TextInput({
  label,
  help,
  error,
  list,
  step,
  ...rest
}: TextFieldProps & { label: ReactNode; help?: string; error?: string; list?: string; step?: number }) {
  return (
    <TextField className="field" isInvalid={Boolean(error)} validationBehavior="aria" {...rest}>
      <Label className="field-label">{label}</Label>
      <Input className="input" list={list} step={step} />
      {help && !error && (
        <Text slot="description" className="field-help">
          {help}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
    </TextField>
  );
}
