import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useEffect } from "react";
import { Button } from "react-aria-components";
import type { RunRow } from "../../api/flow-runs";
import { canStop, lookOfRun } from "../../lib/states";
import { brief } from "../../lib/waiting";
import { byOf, whyOf } from "../../lib/why";
import { useNow } from "../../ui/clock";
import { Elapsed, Instant } from "../../ui/instant";
import { usePhone } from "../../ui/phone";
import { StatePill } from "../../ui/state-pill";
import { WaitSentence } from "./wait-sentence";
import "./runs.css";

const ROW = 32;
const PHONE_ROW = 68;

interface Props {
  runs: readonly RunRow[];
  box: RefObject<HTMLDivElement | null>;
  total: number;
  current: number;
  onNearEnd: () => void;
  onStop: ((run: RunRow) => void) | null;
  /** Makes runs selectable. */
  selecting?: Selecting;
  /** On a flow's own page: without its name, and without the agent and who started a run, so that there is room for the reason. */
  isCompact?: boolean;
}

export interface Selecting {
  extent: "none" | "some" | "all";
  isSelected: (id: string) => boolean;
  onToggle: (id: string, range: boolean) => void;
  onToggleAll: () => void;
}

export function RunsTable({ runs, box, total, current, onNearEnd, onStop, selecting, isCompact = false }: Props) {
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
        {selecting && <col className="col-check" />}
        <col className="col-state" />
        {!isCompact && <col className="col-flow" />}
        <col className="col-run" />
        <col />
        <col className="col-time" />
        <col className="col-duration" />
        {!isCompact && <col className="col-agent" />}
        {!isCompact && <col className="col-by" />}
        <col className="col-action" />
      </colgroup>
      <thead>
        <tr>
          {selecting && (
            <th scope="col" className="cell-check">
              <AllBox selecting={selecting} />
            </th>
          )}
          <th scope="col">State</th>
          {!isCompact && <th scope="col">Flow</th>}
          <th scope="col">Run</th>
          <th scope="col">Why / progress</th>
          <th scope="col">Started</th>
          <th scope="col" className="right">
            Duration
          </th>
          {!isCompact && <th scope="col">Agent</th>}
          {!isCompact && <th scope="col">By</th>}
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
                selecting={selecting}
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
  selecting: Selecting | undefined;
}

function AllBox({ selecting }: { selecting: Selecting }) {
  return (
    <label className="check">
      <input
        type="checkbox"
        aria-label="Select all loaded runs"
        checked={selecting.extent === "all"}
        ref={(element) => {
          if (element) element.indeterminate = selecting.extent === "some";
        }}
        onChange={selecting.onToggleAll}
      />
    </label>
  );
}

/** Not a tab stop: `x` selects the current run. */
function RowBox({ run, selecting, isChecked }: { run: RunRow; selecting: Selecting; isChecked: boolean }) {
  return (
    <label className="check above">
      <input
        type="checkbox"
        tabIndex={-1}
        aria-label={`Select ${run.name}`}
        checked={isChecked}
        onChange={(event) => selecting.onToggle(run.id, (event.nativeEvent as MouseEvent).shiftKey)}
      />
    </label>
  );
}

function Row({ run, index, isCurrent, isCompact, onStop, selecting }: RowProps) {
  const now = useNow();
  const look = lookOfRun(run, now);
  const why = whyOf(run);
  const due = !run.startTime;
  const isChecked = selecting?.isSelected(run.id) ?? false;
  return (
    <tr
      aria-rowindex={index + 2}
      aria-selected={selecting ? isChecked : undefined}
      className={`${isCurrent ? "row-current" : ""} ${isChecked ? "row-selected" : ""}`}
    >
      {selecting && (
        <td className="cell-check">
          <RowBox run={run} selecting={selecting} isChecked={isChecked} />
        </td>
      )}
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
      <td className={`cell-why ${run.waitReason ? "" : "mono"} text-${look.family}`} title={why}>
        <WaitSentence sentence={brief(why)} holders={run.waitHolders} />
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
      {!isCompact && <td className="cell-by muted">{byOf(run)}</td>}
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
