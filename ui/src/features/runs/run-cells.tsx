/** What each column of a table of runs shows. */

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { RunRow } from "../../api/flow-runs";
import type { ColumnId } from "../../lib/run-columns";
import type { StateLook } from "../../lib/states";
import { brief } from "../../lib/waiting";
import { byOf, doneOf, whyOf } from "../../lib/why";
import { Elapsed, Instant } from "../../ui/instant";
import { StatePill } from "../../ui/state-pill";
import { StartedBy } from "./started-by";
import { WaitSentence } from "./wait-sentence";

interface Cell {
  className?: string;
  title?: string;
  content: ReactNode;
}

export function cellOf(column: ColumnId, run: RunRow, look: StateLook): Cell {
  return CELLS[column](run, look);
}

const CELLS: Record<ColumnId, (run: RunRow, look: StateLook) => Cell> = {
  state: (_, look) => ({ content: <StatePill look={look} /> }),
  project: (run) => ({ className: "muted", content: run.flow.project.name }),
  flow: (run) => ({
    content: (
      <Link to="/flows/$flowId" params={{ flowId: run.flow.id }} className="above strong" preload={false}>
        {run.flow.name}
      </Link>
    ),
  }),
  run: (run) => ({
    content: (
      <Link to="/runs/$runId" params={{ runId: run.id }} className="row-link">
        {run.name}
      </Link>
    ),
  }),
  why: (run, look) => ({
    className: `${run.waitReason ? "" : "mono"} text-${look.family}`,
    title: whyOf(run),
    content: <WaitSentence sentence={brief(whyOf(run))} holders={run.waitHolders} />,
  }),
  due: (run) => ({ className: "number", content: <Instant at={run.scheduledTime} /> }),
  started: (run) => ({
    className: "number",
    content: run.startTime ? (
      <Instant at={run.startTime} />
    ) : (
      <span className="muted">
        due <Instant at={run.scheduledTime} />
      </span>
    ),
  }),
  ended: (run) => ({ className: "number", content: <Instant at={run.endTime} /> }),
  duration: (run) => ({ className: "right number", content: <Elapsed start={run.startTime} end={run.endTime} /> }),
  tasks: (run) => ({
    className: "right number muted",
    content: run.taskCounts.total > 0 && `${doneOf(run.taskCounts)}/${run.taskCounts.total}`,
  }),
  attempt: (run) => ({ className: "right number muted", content: run.attempt > 1 && run.attempt }),
  version: (run) => ({ className: "right number muted", content: run.version.number }),
  labels: (run) => ({ className: "muted", title: run.labels.join(", "), content: run.labels.join(", ") }),
  agent: (run) => ({ className: "muted", content: run.agent?.name }),
  by: (run) => ({ className: "muted", title: byOf(run), content: <StartedBy run={run} /> }),
};
