import { useQuery } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import { endSessions, sessionsQuery, type User } from "../../api/people";
import type { Keyed } from "../../lib/keys";
import { BusyButton } from "../../ui/busy-button";
import { Dialog } from "../../ui/dialog";
import { toast } from "../../ui/toasts";
import { SessionList } from "../session/session-list";
import { useChange } from "./use-change";

/** The browsers in which a user is signed in, and the way out of all of them. */
export function SessionsDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const query = useQuery(sessionsQuery(user.id));
  const end = useChange(
    (content: Keyed<object>) => endSessions(user.id, content),
    () => {
      toast(`${user.username} is signed out of every browser.`);
      onClose();
    },
  );
  const isHere = query.data?.some((session) => session.current);
  return (
    <Dialog title={`Sessions of ${user.username}`} isOpen onClose={onClose}>
      <SessionList query={query} none={`No browser is signed in as ${user.username}.`} />
      <p className="muted">
        Signing out ends sessions only: the password and tokens keep working.
        {isHere && " You will be signed out too."}
      </p>
      {end.error && (
        <p className="form-error" role="alert">
          {end.error.message}
        </p>
      )}
      <div className="row end">
        <Button className="button" onPress={onClose} autoFocus>
          Close
        </Button>
        <BusyButton
          className="button danger"
          isBusy={end.isPending}
          isDisabled={!query.data?.length}
          onPress={() => end.mutate({})}
        >
          Sign out of every browser
        </BusyButton>
      </div>
    </Dialog>
  );
}
