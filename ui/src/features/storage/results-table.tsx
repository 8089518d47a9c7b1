import { Link } from "@tanstack/react-router";
import { Button } from "react-aria-components";
import type { KeptResult } from "../../api/kept";
import { bytesInWords } from "../../lib/kept";
import { Instant } from "../../ui/instant";
import { SealedMark } from "./sealed-mark";
import "./storage.css";

interface Props {
  results: readonly KeptResult[];
  isEditable: boolean;
  onDelete: (result: KeptResult) => void;
}

export function ResultsTable({ results, isEditable, onDelete }: Props) {
  return (
    <table className="table wrap-table kept-table">
      <thead>
        <tr>
          <th scope="col">Project</th>
          <th scope="col">Location</th>
          <th scope="col" className="right">
            Size
          </th>
          <th scope="col">Run</th>
          <th scope="col">Stored</th>
          <th scope="col">Removed</th>
          {isEditable && (
            <th scope="col">
              <span className="unseen">Actions</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {results.map((result) => (
          <tr key={result.id}>
            <td className="muted">{result.projectName}</td>
            <th scope="row" className="mono">
              {result.location} {result.sealed && <SealedMark keyId={result.keyId} />}
            </th>
            <td className="right number nowrap">{bytesInWords(result.size)}</td>
            <td>
              <Owner result={result} />
            </td>
            <td className="nowrap">
              <Instant at={result.stored} />
            </td>
            <td className="nowrap">
              {result.expires ? <Instant at={result.expires} /> : result.flowRunId ? "With its run" : "Never"}
            </td>
            {isEditable && (
              <td className="cell-action">
                <Button
                  className="button small quiet"
                  aria-label={`Delete result ${result.location}`}
                  onPress={() => onDelete(result)}
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

/** The flow and the run that it belongs to, each a link. */
function Owner({ result: { flowId, flowName, flowRunId, flowRunName } }: { result: KeptResult }) {
  if (!flowRunId || !flowId) return <span className="muted">Shared by its project</span>;
  return (
    <>
      <Link to="/flows/$flowId" params={{ flowId }}>
        {flowName}
      </Link>{" "}
      <Link to="/runs/$runId" params={{ runId: flowRunId }}>
        {flowRunName}
      </Link>
    </>
  );
}
