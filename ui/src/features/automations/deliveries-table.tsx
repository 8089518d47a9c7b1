import { Link } from "@tanstack/react-router";
import { Button } from "react-aria-components";
import type { Delivery } from "../../api/automations";
import { eventWords } from "../../lib/automations";
import { counted } from "../../lib/counted";
import { Instant } from "../../ui/instant";

interface Props {
  deliveries: readonly Delivery[];
  /** The automation changes something, rather than send messages. */
  acts: boolean;
  isEditable: boolean;
  onSendAgain: (delivery: Delivery) => void;
}

const WORDS: Record<Delivery["state"], string> = {
  PENDING: "pending",
  SENT: "sent",
  FAILED: "failed",
  DROPPED: "dropped",
} as const;

export function DeliveriesTable({ deliveries, acts, isEditable, onSendAgain }: Props) {
  const again = acts ? "Try again" : "Send again";
  return (
    <ul className="automations deliveries" aria-label="Deliveries">
      {deliveries.map((delivery) => (
        <li key={delivery.id} className="automation">
          <div className="automation-what">
            <p>
              <b className={`delivery-state is-${WORDS[delivery.state]}`}>
                {acts && delivery.state === "SENT" ? "done" : WORDS[delivery.state]}
              </b>{" "}
              <Instant at={delivery.created} /> <About delivery={delivery} />
            </p>
            <p className="delivery-text">{delivery.text}</p>
            {delivery.reason && <p className="muted">{delivery.reason}</p>}
            {delivery.answer && (acts ? <Done delivery={delivery} /> : <Answer text={delivery.answer} />)}
          </div>
          <div className="automation-end muted">
            {delivery.attempts > 0 && <span>{counted(delivery.attempts, "attempt")}</span>}
            {delivery.nextTryAt && delivery.attempts > 0 && (
              <span>
                again <Instant at={delivery.nextTryAt} />
              </span>
            )}
            {isEditable && canBeRepeated(delivery, acts) && (
              <Button
                className="button small quiet"
                aria-label={`${again}: ${delivery.text}`}
                onPress={() => onSendAgain(delivery)}
              >
                {again}
              </Button>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

/** What was done is done once; what is about to be sent need not be asked for. */
function canBeRepeated({ state, attempts }: Delivery, acts: boolean): boolean {
  return !(state === "PENDING" && attempts === 0) && !(acts && state === "SENT");
}

function Answer({ text }: { text: string }) {
  return (
    <details>
      <summary>Answer</summary>
      <pre className="delivery-answer">{text}</pre>
    </details>
  );
}

function Done({ delivery }: { delivery: Delivery }) {
  return (
    <p>
      {delivery.answer}{" "}
      {delivery.started && (
        <Link to="/runs/$runId" params={{ runId: delivery.started }}>
          Open the run
        </Link>
      )}
    </p>
  );
}

function About({ delivery }: { delivery: Delivery }) {
  const words = eventWords(delivery.event);
  if (!delivery.event.startsWith("run.")) return <span className="muted">{words}</span>;
  return (
    <Link to="/runs/$runId" params={{ runId: delivery.objectId }}>
      {words}
    </Link>
  );
}
