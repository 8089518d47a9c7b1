import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { lookOf } from "../../lib/states";
import { selectionOf, type TaskRun } from "../../lib/timeline";
import { Elapsed, Instant } from "../../ui/instant";
import { StatePill } from "../../ui/state-pill";
import "./task-table.css";

const ROW = 32;

interface Props {
  tasks: readonly TaskRun[];
  order: readonly string[];
  selected: string;
  onSelect: (selection: string) => void;
}

export function TaskTable({ tasks, order, selected, onSelect }: Props) {
  const rows = useMemo(() => inOrder(tasks, order), [tasks, order]);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <section className="table-box" ref={box} aria-label="Task runs" tabIndex={0}>
      <table className="table task-table" aria-rowcount={rows.length + 1}>
        <colgroup>
          <col className="col-state" />
          <col className="col-task" />
          <col className="col-number" />
          <col className="col-time" />
          <col className="col-duration" />
          <col />
        </colgroup>
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Task</th>
            <th scope="col" className="right">
              Attempts
            </th>
            <th scope="col">Started</th>
            <th scope="col" className="right">
              Duration
            </th>
            <th scope="col">Message</th>
          </tr>
        </thead>
        <tbody>
          {above > 0 && <tr aria-hidden="true" style={{ height: above }} />}
          {items.map((item) => {
            const task = rows[item.index] as TaskRun;
            const selection = selectionOf(task.taskSlug, task.mapIndex);
            const look = lookOf(task.state);
            const quiet = look.family === "success";
            return (
              <tr key={task.id} aria-rowindex={item.index + 2} className={selection === selected ? "row-current" : ""}>
                <td>
                  <StatePill look={look} />
                </td>
                <td className="mono">
                  <button
                    type="button"
                    className="row-link"
                    aria-pressed={selection === selected}
                    onClick={() => onSelect(selection)}
                  >
                    {selection}
                  </button>
                </td>
                <td className="right number">{task.startTime ? task.runCount : ""}</td>
                <td className="number">
                  <Instant at={task.startTime} />
                </td>
                <td className="right number">
                  <Elapsed start={task.startTime} end={task.endTime} />
                </td>
                <td className={`mono text-${look.family}`} title={quiet ? "" : task.state.message}>
                  {quiet ? "" : task.state.message}
                </td>
              </tr>
            );
          })}
          {below > 0 && <tr aria-hidden="true" style={{ height: below }} />}
        </tbody>
      </table>
    </section>
  );
}

function inOrder(tasks: readonly TaskRun[], order: readonly string[]): TaskRun[] {
  const rank = new Map(order.map((slug, index) => [slug, index]));
  const of = (task: TaskRun) => rank.get(task.taskSlug) ?? order.length;
  return [...tasks].sort((a, b) => of(a) - of(b) || a.taskSlug.localeCompare(b.taskSlug) || a.mapIndex - b.mapIndex);
}
