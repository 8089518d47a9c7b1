import { Link } from "@tanstack/react-router";
import { Button } from "react-aria-components";
import type { Secret } from "../../api/secrets";
import { counted } from "../../lib/counted";
import { Instant } from "../../ui/instant";

interface Props {
  secrets: readonly Secret[];
  isEditable: boolean;
  onReplace: (secret: Secret) => void;
  onDelete: (secret: Secret) => void;
}

export function SecretsTable({ secrets, isEditable, onReplace, onDelete }: Props) {
  return (
    <table className="table wrap-table">
      <thead>
        <tr>
          <th scope="col">Project</th>
          <th scope="col">Name</th>
          <th scope="col">Set</th>
          <th scope="col">By</th>
          <th scope="col">Used by</th>
          {isEditable && (
            <th scope="col">
              <span className="unseen">Actions</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {secrets.map((secret) => (
          <tr key={secret.id}>
            <td className="muted">{secret.projectName}</td>
            <th scope="row" className="strong mono">
              {secret.name}
            </th>
            <td className="nowrap">
              <Instant at={secret.updated} />
            </td>
            <td>{secret.updatedBy}</td>
            <td>
              <Users secret={secret} />
            </td>
            {isEditable && (
              <td className="cell-action nowrap">
                <Button
                  className="button small quiet"
                  aria-label={`Replace the value of ${secret.name}`}
                  onPress={() => onReplace(secret)}
                >
                  Replace…
                </Button>{" "}
                <Button
                  className="button small quiet"
                  aria-label={`Delete secret ${secret.name}`}
                  onPress={() => onDelete(secret)}
                >
                  Delete…
                </Button>
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The flows that declare it, each a link. */
export function Users({ secret }: { secret: Secret }) {
  const more = secret.userCount - secret.usedBy.length;
  if (secret.userCount === 0) return <span className="muted">No flow declares it.</span>;
  return (
    <>
      {secret.usedBy.map(({ flowId, flowName }, index) => (
        <span key={flowId}>
          {index > 0 && ", "}
          <Link to="/flows/$flowId" params={{ flowId }}>
            {flowName}
          </Link>
        </span>
      ))}
      {more > 0 && ` and ${counted(more, "more flow")}`}
    </>
  );
}
