/** What the next attempt of a run runs again and what it reuses, as the server says before anybody decides. */

import { useQuery } from "@tanstack/react-query";
import { type ContinuationRequest, continuationQuery, type Run } from "../../api/flow-runs";
import { againInWords } from "../../lib/continuation";
import { counted } from "../../lib/counted";

const LISTED = 50;

interface Props {
  run: Run;
  request: ContinuationRequest;
  onAnywhere: (isAnywhere: boolean) => void;
}

export function useContinuation(run: Run, request: ContinuationRequest) {
  return useQuery(continuationQuery(run.id, request));
}

export function ContinuationPreview({ run, request, onAnywhere }: Props) {
  const { data: found, error } = useContinuation(run, request);
  if (error) return <p className="form-error">{error.message}</p>;
  if (!found) return null;
  const items = [
    ...found.runs.map((one) => ({ ...one, runs: true })),
    ...found.reused.map((one) => ({ ...one, runs: false })),
  ];
  const rest = Math.max(0, items.length - LISTED) + found.omitted;
  return (
    <div className="continuation">
      {found.refusal && <p className="form-error">{found.refusal}</p>}
      <p role="status">
        {found.againCount === 0 ? "No task that ran will run again" : `Will run again: ${againInWords(found)}`}.{" "}
        <span className="muted">
          {found.reusedCount === 1
            ? "1 task run keeps its result."
            : `${found.reusedCount.toLocaleString("en")} task runs keep their results.`}
        </span>
      </p>
      {items.length > 0 && (
        <details>
          <summary>Each task, and why</summary>
          <ul className="continued-tasks">
            {items.slice(0, LISTED).map((one) => (
              <li key={`${one.slug} ${one.reason} ${one.begun}`}>
                <b>{one.runs ? (one.begun ? "again" : "runs") : "kept"}</b> <span className="mono">{one.slug}</span>
                {one.indexes.length > 0 && <span className="muted"> {children(one)}</span>}
                <span className="muted">: {one.sentence}</span>
              </li>
            ))}
            {rest > 0 && <li className="muted">and {counted(rest, "more entry", "more entries")}</li>}
          </ul>
        </details>
      )}
      {found.place && <p className="muted">{found.place}</p>}
      {(found.place || request.anywhere) && (
        <label className="row">
          <input type="checkbox" checked={request.anywhere} onChange={(event) => onAnywhere(event.target.checked)} />
          Let any agent take the run, and run those tasks again
        </label>
      )}
    </div>
  );
}

/** `(3 children: 0, 4, 7)` */
function children({ indexes, count }: { indexes: readonly number[]; count: number }): string {
  const more = count > indexes.length ? ", …" : "";
  return `(${counted(count, "child", "children")}: ${indexes.join(", ")}${more})`;
}
