/** A confirmation dialog: what will happen, an optional reason, and two buttons that say what they do. */

import { type ReactNode, useState } from "react";
import { Dialog } from "./dialog";
import { FormEnd, type FormEndProps } from "./form-end";
import { TextInput } from "./text-input";

interface Props extends FormEndProps {
  title: string;
  isOpen: boolean;
  hasReason?: boolean;
  /** Where the reason will be shown. */
  reasonHelp?: string;
  onConfirm: (reason: string) => void;
  children?: ReactNode;
}

export function ConfirmDialog(props: Props) {
  return (
    <Dialog title={props.title} isOpen={props.isOpen} onClose={props.onClose} role="alertdialog">
      <Question {...props} />
    </Dialog>
  );
}

function Question(props: Props) {
  const { isPending, isDisabled, hasReason = true } = props;
  const [reason, setReason] = useState("");
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isPending && !isDisabled) props.onConfirm(reason.trim());
      }}
    >
      {props.children}
      {hasReason && (
        <TextInput
          label="Reason (optional)"
          value={reason}
          onChange={setReason}
          help={props.reasonHelp ?? "Shown in the state history."}
          autoFocus
        />
      )}
      <FormEnd {...props} isKeepFocused={!hasReason} />
    </form>
  );
}
