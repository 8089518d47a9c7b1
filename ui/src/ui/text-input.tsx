import type { ReactNode } from "react";
import { FieldError, Input, Label, Text, TextField, type TextFieldProps } from "react-aria-components";

/** A labelled text field: label above, help and error below. `list` is the id of a `datalist` with suggestions; children stand
 * under the field. */
export function TextInput({
  label,
  help,
  error,
  list,
  step,
  children,
  ...rest
}: Omit<TextFieldProps, "children"> & {
  label: ReactNode;
  help?: string;
  error?: string;
  list?: string;
  step?: number;
  children?: ReactNode;
}) {
  return (
    <TextField className="field" isInvalid={Boolean(error)} validationBehavior="aria" {...rest}>
      <Label className="field-label">{label}</Label>
      <Input className="input" list={list} step={step} />
      {children}
      {help && !error && (
        <Text slot="description" className="field-help">
          {help}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
    </TextField>
  );
}
