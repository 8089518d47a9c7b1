import { Button } from "react-aria-components";
import { BusyButton } from "./busy-button";

export interface FormEndProps {
  /** The label of the button that changes nothing. */
  keep: string;
  confirm: string;
  isDanger?: boolean;
  isPending: boolean;
  /** Disables the confirm button. */
  isDisabled?: boolean;
  /** What the server said against it. */
  error: Error | null;
  onClose: () => void;
}

/** The end of a dialog's form: why it was refused, and two buttons that say what they do. */
export function FormEnd(props: FormEndProps & { isKeepFocused?: boolean }) {
  const { keep, confirm, isDanger, isPending, isDisabled, error, onClose, isKeepFocused } = props;
  return (
    <>
      {error && (
        <p className="form-error" role="alert">
          {error.message}
        </p>
      )}
      <div className="row end">
        <Button className="button" onPress={onClose} autoFocus={isKeepFocused}>
          {keep}
        </Button>
        <BusyButton
          type="submit"
          className={isDanger ? "button danger" : "button primary"}
          isBusy={isPending}
          isDisabled={isDisabled}
        >
          {confirm}
        </BusyButton>
      </div>
    </>
  );
}
