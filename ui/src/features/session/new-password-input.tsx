import { currentSession } from "../../api/session";
import { counted } from "../../lib/counted";
import { TextInput } from "../../ui/text-input";

/** Whether it is long enough. The server knows more rules. */
export function isLongEnough(password: string): boolean {
  return password.length >= currentSession().shortestPassword;
}

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
  const shortest = currentSession().shortestPassword;
  const missing = shortest - props.value.length;
  return (
    <TextInput
      {...rest}
      type="password"
      autoComplete="new-password"
      help={`At least ${counted(shortest, "character")}; several words in a row are easy to remember.`}
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
