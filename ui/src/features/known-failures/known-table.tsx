import { Link } from "@tanstack/react-router";
import type { KnownFailure } from "../../api/known-failures";
import { Instant } from "../../ui/instant";
import { UnmarkButton } from "./unmark-button";
import "./known-failures.css";

export function KnownTable({ failures, isEditable }: { failures: readonly KnownFailure[]; isEditable: boolean }) {
  return (
    <table className="table wrap-table known-table">
      <thead>
        <tr>
          <th scope="col">Flow</th>
          <th scope="col">Failure</th>
          <th scope="col">Known until</th>
          <th scope="col">By</th>
          <th scope="col">Last seen</th>
          {isEditable && (
            <th scope="col">
              <span className="unseen">Actions</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {failures.map((failure) => (
          <tr key={failure.id}>
            <th scope="row">
              <Link to="/flows/$flowId" params={{ flowId: failure.flowId }} className="strong">
                {failure.flowName}
              </Link>
              <div className="muted">
                {failure.projectName}
                {failure.flowOwner && ` · ${failure.flowOwner}`}
              </div>
            </th>
            <td>
              <div className="known-message mono">
                {failure.taskSlug && <b>{failure.taskSlug}: </b>}
                {failure.message}
              </div>
              {failure.reason && <div className="muted">{failure.reason}</div>}
            </td>
            <td className="nowrap">
              {failure.until === null ? (
                "it is resolved"
              ) : (
                <span className={failure.expired ? "text-attention" : ""}>
                  <Instant at={failure.until} />
                  {failure.expired && " (over)"}
                </span>
              )}
            </td>
            <td>
              {failure.markedBy}
              <div className="muted nowrap">
                <Instant at={failure.markedAt} />
              </div>
            </td>
            <td className="nowrap">
              <Link to="/runs/$runId" params={{ runId: failure.lastRunId }} className="link">
                <Instant at={failure.lastSeen} />
              </Link>
            </td>
            {isEditable && (
              <td className="cell-action nowrap">
                <UnmarkButton knownFailureId={failure.id} flowName={failure.flowName} className="small quiet" />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
