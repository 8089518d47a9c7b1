import { useQuery } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import { endOwnSession, sessionsQuery } from "../../api/people";
import type { Keyed } from "../../lib/keys";
import { Dialog } from "../../ui/dialog";
import { toast } from "../../ui/toasts";
import { useChange } from "../people/use-change";
import { SessionList } from "./session-list";

/** The browsers in which one is signed in oneself. */
export default function OwnSessionsDialog({ onClose }: { onClose: () => void }) {
  const query = useQuery(sessionsQuery(null));
  const end = useChange(
    ({ id, idempotencyKey }: Keyed<{ id: string }>) => endOwnSession(id, { idempotencyKey }),
    () => toast("That browser is signed out."),
  );
  return (
    <Dialog title="Your sessions" isOpen onClose={onClose}>
      <p className="muted">The browsers in which you are signed in. End one that you have lost or don't know.</p>
      <SessionList
        query={query}
        none="No browser is signed in as you."
        isBusy={end.isPending}
        onEnd={({ id }) => end.mutate({ id })}
      />
      {end.error && (
        <p className="form-error" role="alert">
          {end.error.message}
        </p>
      )}
      <div className="row end">
        <Button className="button" onPress={onClose} autoFocus>
          Close
        </Button>
      </div>
    </Dialog>
  );
}
