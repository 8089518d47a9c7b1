/** The lines that a search has found, each with a link to its place in the log of its run. */

import { Link } from "@tanstack/react-router";
import type { FoundLine } from "../../api/logs";
import { levelWord, taskLabel } from "../../lib/log-model";
import { markedParts } from "../../lib/log-search";
import { Instant } from "../../ui/instant";
import "./log-search.css";

export function FoundLines({ lines, q }: { lines: readonly FoundLine[]; q: string }) {
  return (
    <table className="table wrap-table found-table">
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Flow</th>
          <th scope="col">Run</th>
          <th scope="col">Level</th>
          <th scope="col">Line</th>
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => (
          <tr key={line.id}>
            <td className="number">
              <Instant at={line.at} />
            </td>
            <td className="muted">
              {line.project}/{line.flow}
            </td>
            <td>
              <Link to="/runs/$runId" params={{ runId: line.flowRunId }} hash={`L${line.id}`} className="row-link">
                {line.runName}
              </Link>
              {line.taskSlug && <div className="muted">{taskLabel(line)}</div>}
            </td>
            <td className={`found-level-${levelWord(line.level).toLowerCase()}`}>{levelWord(line.level)}</td>
            <td className="mono found-message">
              {markedParts(line.message, q).map(({ text, isMarked }, index) =>
                isMarked ? <mark key={index}>{text}</mark> : <span key={index}>{text}</span>,
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
