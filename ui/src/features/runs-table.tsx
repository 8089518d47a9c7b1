import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useEffect } from "react";
import { Button } from "react-aria-components";
import type { RunRow } from "../api/flow-runs";
import { canStop, lookOfRun } from "../lib/states";
import { byOf, whyOf } from "../lib/why";
import { useNow } from "../ui/clock";
import { Elapsed, Instant } from "../ui/instant";
import { usePhone } from "../ui/phone";
import { StatePill } from "../ui/state-pill";

const ROW = 32;
const PHONE_ROW = 68;

interface Props {
  runs: readonly RunRow[];
  box: RefObject<HTMLDivElement | null>;
  total: number;
  current: number;
  onNearEnd: () => void;
  onStop: ((run: RunRow) => void) | null;
  /** On a flow's own page: without the columns that say the same in every row. */
  isCompact?: boolean;
}

export function RunsTable({ runs, box, total, current, onNearEnd, onStop, isCompact = false }: Props) {
  const phone = usePhone();
  const height = phone ? PHONE_ROW : ROW;
  const virtual = useVirtualizer({
    count: runs.length,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    overscan: 12,
    scrollPaddingStart: 30,
  });
  const items = virtual.getVirtualItems();
  const first = items[0];
  const last = items.at(-1);
  useEffect(() => {
    if (last && last.index > runs.length - 30) onNearEnd();
  }, [last, runs.length, onNearEnd]);
  useEffect(() => {
    if (current >= 0) virtual.scrollToIndex(current, { align: "auto" });
  }, [current, virtual]);
  useEffect(() => {
    if (height) virtual.measure();
  }, [virtual, height]);
  return (
    <table className="table runs-table" aria-rowcount={total + 1}>
      <colgroup>
        <col className="col-state" />
        {!isCompact && <col className="col-flow" />}
        <col className="col-run" />
        <col />
        <col className="col-time" />
        <col className="col-duration" />
        {!isCompact && <col className="col-agent" />}
        <col className="col-by" />
        <col className="col-action" />
      </colgroup>
      <thead>
        <tr>
          <th scope="col">State</th>
          {!isCompact && <th scope="col">Flow</th>}
          <th scope="col">Run</th>
          <th scope="col">Why / progress</th>
          <th scope="col">Started</th>
          <th scope="col" className="right">
            Duration
          </th>
          {!isCompact && <th scope="col">Agent</th>}
          <th scope="col">By</th>
          <th scope="col">
            <span className="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {first && first.start > 0 && <tr aria-hidden="true" style={{ height: first.start }} />}
        {items.map((item) => {
          const run = runs[item.index];
          return (
            run && (
              <Row
                key={run.id}
                run={run}
                index={item.index}
                isCurrent={item.index === current}
                onStop={onStop}
                isCompact={isCompact}
              />
            )
          );
        })}
        {last && virtual.getTotalSize() > last.end && (
          <tr aria-hidden="true" style={{ height: virtual.getTotalSize() - last.end }} />
        )}
      </tbody>
    </table>
  );
}

interface RowProps {
  run: RunRow;
  index: number;
  isCurrent: boolean;
  isCompact: boolean;
  onStop: Props["onStop"];
}

function Row({ run, index, isCurrent, isCompact, onStop }: RowProps) {
  const now = useNow();
  const look = lookOfRun(run, now);
  const why = whyOf(run);
  const due = !run.startTime;
  return (
    <tr aria-rowindex={index + 2} className={isCurrent ? "row-current" : ""}>
      <td className="cell-state">
        <StatePill look={look} />
      </td>
      {!isCompact && (
        <td className="cell-flow">
          <Link to="/flows/$flowId" params={{ flowId: run.flow.id }} className="above strong" preload={false}>
            {run.flow.name}
          </Link>
        </td>
      )}
      <td className="cell-run">
        <Link to="/runs/$runId" params={{ runId: run.id }} className="row-link">
          {run.name}
        </Link>
      </td>
      <td className={`cell-why mono text-${look.family}`} title={why}>
        {why}
      </td>
      <td className="cell-time number">
        {due ? (
          <span className="muted">
            due <Instant at={run.scheduledTime} />
          </span>
        ) : (
          <Instant at={run.startTime} />
        )}
      </td>
      <td className="cell-duration right number">
        <Elapsed start={run.startTime} end={run.endTime} />
      </td>
      {!isCompact && <td className="cell-agent muted">{run.agent?.name}</td>}
      <td className="cell-by muted">{byOf(run)}</td>
      <td className="cell-action">
        {onStop && canStop(run.state.type) && (
          <Button className="button small quiet above" aria-label={`Stop ${run.name}`} onPress={() => onStop(run)}>
            Stop…
          </Button>
        )}
      </td>
    </tr>
  );
}
