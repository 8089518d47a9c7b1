import { counted } from "../../lib/counted";
import { TextInput } from "../../ui/text-input";

/** The server's rule, too. */
export const SHORTEST = 12;

export function NewPasswordInput(props: {
  label: string;
  name?: string;
  value: string;
  onChange: (value: string) => void;
  autoFocus?: boolean;
  /** The form has been sent without it. */
  isMissing?: boolean;
}) {
  const { isMissing, ...rest } = props;
  const missing = SHORTEST - props.value.length;
  return (
    <TextInput
      {...rest}
      type="password"
      autoComplete="new-password"
      help={`At least ${SHORTEST} characters; several words in a row are easy to remember.`}
      error={
        props.value && missing > 0
          ? `${counted(missing, "more character")} needed.`
          : isMissing
            ? "Enter a password."
            : undefined
      }
      isRequired
    />
  );
}
