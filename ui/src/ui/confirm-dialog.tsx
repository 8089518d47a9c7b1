/** A confirmation dialog: what will happen, an optional reason, and two buttons that say what they do. */

import { type ReactNode, useState } from "react";
import { Button } from "react-aria-components";
import { BusyButton } from "./busy-button";
import { Dialog } from "./dialog";
import { TextInput } from "./text-input";

interface Props {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  /** The label of the button that changes nothing. */
  keep: string;
  confirm: string;
  isDanger?: boolean;
  isPending: boolean;
  /** Disables the confirm button. */
  isDisabled?: boolean;
  error: Error | null;
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
  const { isPending, isDanger, isDisabled, error, hasReason = true } = props;
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
      {error && (
        <p className="form-error" role="alert">
          {error.message}
        </p>
      )}
      <div className="row end">
        <Button className="button" onPress={props.onClose} autoFocus={!hasReason}>
          {props.keep}
        </Button>
        <BusyButton
          type="submit"
          className={isDanger ? "button danger" : "button primary"}
          isBusy={isPending}
          isDisabled={isDisabled}
        >
          {props.confirm}
        </BusyButton>
      </div>
    </form>
  );
}
