import { unmarkFailure } from "../../api/known-failures";
import { BusyButton } from "../../ui/busy-button";
import { toast, toastError } from "../../ui/toasts";
import { useWriting } from "../session/permissions";
import { useKnownChange } from "./use-known-change";

interface Props {
  knownFailureId: string;
  flowName: string;
  className?: string;
}

/** Removes the mark at once: marking it again takes two clicks. */
export function UnmarkButton({ knownFailureId, flowName, className = "" }: Props) {
  const writing = useWriting();
  const unmark = useKnownChange(unmarkFailure, () => toast(`The failure of ${flowName} is not known any more.`));
  return (
    <BusyButton
      className={`button ${className}`}
      isDisabled={!writing.allowed}
      isBusy={unmark.isPending}
      onPress={() => unmark.mutate({ knownFailureId }, { onError: toastError })}
    >
      Not known any more
    </BusyButton>
  );
}
