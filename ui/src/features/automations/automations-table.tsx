import { Link } from "@tanstack/react-router";
import { Button } from "react-aria-components";
import type { Automation } from "../../api/automations";
import { counted } from "../../lib/counted";
import { Instant } from "../../ui/instant";
import "./automations.css";

interface Props {
  automations: readonly Automation[];
  isEditable: boolean;
  onEdit: (automation: Automation) => void;
  onSwitch: (automation: Automation) => void;
}

export function AutomationsTable({ automations, isEditable, onEdit, onSwitch }: Props) {
  return (
    <ul className="automations">
      {automations.map((automation) => (
        <li key={automation.id} className={automation.enabled ? "automation" : "automation is-off"}>
          <div className="automation-what">
            <Link to="/automations/$automationId" params={{ automationId: automation.id }} className="strong">
              {automation.name}
            </Link>
            <p>{automation.sentence}</p>
          </div>
          <div className="automation-end">
            <State automation={automation} />
            {isEditable && (
              <span className="row">
                <Button
                  className="button small quiet"
                  aria-label={`${automation.enabled ? "Disable" : "Enable"} ${automation.name}`}
                  onPress={() => onSwitch(automation)}
                >
                  {automation.enabled ? "Disable" : "Enable"}
                </Button>
                <Button
                  className="button small quiet"
                  aria-label={`Edit ${automation.name}`}
                  onPress={() => onEdit(automation)}
                >
                  Edit…
                </Button>
              </span>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

/** Whether it is on, which of its messages did not arrive, and when it acted last. */
export function State({ automation }: { automation: Automation }) {
  const { enabled, failed, pending, lastAt } = automation;
  return (
    <span className="automation-state muted">
      {!enabled && <b>off</b>}
      {failed > 0 && <b className="text-failed">{failed} failed</b>}
      {pending > 0 && <span>{counted(pending, "delivery", "deliveries")} pending</span>}
      {lastAt ? (
        <span>
          last <Instant at={lastAt} />
        </span>
      ) : (
        <span>never acted</span>
      )}
    </span>
  );
}
