import { useId } from "react";
import { Button } from "react-aria-components";
import type { CreatedToken } from "../../api/people";
import { copyText } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { Instant } from "../../ui/instant";
import "./people.css";

/** A new token's secret, which nobody can show again: only a button or Escape closes it, no click beside it. */
export function SecretDialog({ created, onClose }: { created: CreatedToken; onClose: () => void }) {
  const id = useId();
  const { token, view } = created;
  return (
    <Dialog title={`Token ${view.name} created`} isOpen onClose={onClose} isSticky>
      <p role="status">Copy the token now. It is shown only this once.</p>
      <div className="field">
        <label className="field-label" htmlFor={id}>
          Token
        </label>
        <textarea
          id={id}
          className="input area mono secret"
          rows={2}
          value={token}
          readOnly
          spellCheck={false}
          onFocus={(event) => event.target.select()}
        />
        <div className="field-help">
          Acts as {view.username}
          {view.expires_at ? (
            <>
              {" "}
              until <Instant at={view.expires_at} />.
            </>
          ) : (
            " and doesn't expire."
          )}
        </div>
      </div>
      <div className="row end">
        <Button className="button" onPress={onClose}>
          Done
        </Button>
        <Button className="button primary" autoFocus onPress={() => void copyText(token, "Token copied.")}>
          Copy token
        </Button>
      </div>
    </Dialog>
  );
}
