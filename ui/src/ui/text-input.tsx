import type { ReactNode } from "react";
import { FieldError, Input, Label, Text, TextField, type TextFieldProps } from "react-aria-components";

/** A labelled text field: label above, help and error below. */
export function TextInput({
  label,
  help,
  error,
  ...rest
}: TextFieldProps & { label: ReactNode; help?: string; error?: string }) {
  return (
    <TextField className="field" isInvalid={Boolean(error)} validationBehavior="aria" {...rest}>
      <Label className="field-label">{label}</Label>
      <Input className="input" />
      {help && !error && (
        <Text slot="description" className="field-help">
          {help}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
    </TextField>
  );
}
