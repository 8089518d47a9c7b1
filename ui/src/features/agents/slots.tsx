import { Link } from "@tanstack/react-router";
import type { AgentRow } from "../../api/agents";
import { freeBlocks } from "../../lib/agents";
import { formatRelative } from "../../lib/time";
import { useNow } from "../../ui/clock";

/** An agent's slots: a block each, those in use are links to their runs; a bar where there are too many to count by eye. */
export function Slots({ agent }: { agent: AgentRow }) {
  const now = new Date(useNow());
  const { capacity, running, heldRuns } = agent;
  const free = freeBlocks(agent);
  return (
    <div className="slots">
      {free === null ? (
        <span className="blocks-bar" aria-hidden="true">
          <i style={{ width: `${Math.min(1, running / capacity) * 100}%` }} />
        </span>
      ) : (
        <span className="slot-blocks">
          {heldRuns.map((run) => {
            const text = `${run.project}/${run.flow} ${run.flowRunName}`;
            return (
              <Link
                key={run.flowRunId}
                to="/runs/$runId"
                params={{ runId: run.flowRunId }}
                className="slot slot-used above"
                preload={false}
                aria-label={text}
                title={`${text}\nfor ${formatRelative(new Date(run.since), now).replace(" ago", "")}`}
              />
            );
          })}
          {Array.from({ length: free }, (_, index) => (
            <i key={index} className="slot" aria-hidden="true" />
          ))}
        </span>
      )}
      <span className={running > capacity ? "number text-attention strong" : "number"}>
        {running.toLocaleString("en")} of {capacity.toLocaleString("en")}
      </span>
    </div>
  );
}
