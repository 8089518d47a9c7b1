import { Button } from "react-aria-components";
import type { Trial } from "../../api/automations";
import { Dialog } from "../../ui/dialog";

interface Props {
  trial: Trial;
  /** It is about an automation that changes something: nothing was done. */
  acts: boolean;
  onClose: () => void;
}

/** What a test sent, and what came back; or what it would do. */
export function TrialDialog({ trial, acts, onClose }: Props) {
  const { ok, request, answer, seconds } = trial;
  const title = acts
    ? ok
      ? "What it would do"
      : "What it could not do now"
    : ok
      ? "The test arrived"
      : "The test did not arrive";
  return (
    <Dialog title={title} isOpen onClose={onClose}>
      <div className="form">
        {(!acts || request) && (
          <>
            <h2 className="field-label">{acts ? "Newest event that matches" : "Request"}</h2>
            {acts ? (
              <p className="trial-event muted">{request}</p>
            ) : (
              <pre className="delivery-answer" tabIndex={0}>
                {request || "Nothing was sent."}
              </pre>
            )}
          </>
        )}
        {!acts && <h2 className="field-label">Answer after {seconds} s</h2>}
        {acts ? (
          <p className={ok ? "" : "text-failed"}>{answer}</p>
        ) : (
          <pre className={ok ? "delivery-answer" : "delivery-answer text-failed"} tabIndex={0}>
            {answer}
          </pre>
        )}
        <div className="row end">
          <Button className="button primary" onPress={onClose} autoFocus>
            Close
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
