import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { lookOf } from "../../lib/states";
import { blocksOf, inOrder, placeOf, rowsOf, type TaskGroup, type TaskRun } from "../../lib/task-groups";
import { selectionOf } from "../../lib/task-selection";
import { Elapsed, Instant } from "../../ui/instant";
import { StatePill } from "../../ui/state-pill";
import { type ChildrenView, useChildren } from "../timeline/use-children";
import { useScrollToSelected } from "../timeline/use-scroll-to-selected";
import "./task-table.css";

const ROW = 32;
const CENTER = { align: "center" } as const;

interface Props extends Omit<ChildrenView, "sort"> {
  groups: readonly TaskGroup[];
  order: readonly string[];
  selected: string;
  onSelect: (selection: string) => void;
}

export function TaskTable({ flowRunId, family, groups, order, selected, onSelect }: Props) {
  const blocks = useMemo(
    () =>
      blocksOf(
        inOrder(groups, order),
        ({ own }) => own !== null,
        () => true,
      ),
    [groups, order],
  );
  const count = rowsOf(blocks);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const view = { flowRunId, family, sort: "INDEX" as const };
  const child = useChildren(view, blocks, items[0]?.index ?? 0, (items.at(-1)?.index ?? -1) + 1);
  const taskAt = (index: number) => {
    const { block, child: number } = placeOf(blocks, index);
    return number === null ? block.group.own : child(block.group.taskSlug, number);
  };
  const select = useScrollToSelected(view, blocks, selected, onSelect, (row) => virtual.scrollToIndex(row, CENTER));
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <section className="table-box" ref={box} aria-label="Task runs" tabIndex={0}>
      <table className="table task-table" aria-rowcount={count + 1}>
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
            const task = taskAt(item.index);
            if (!task) return <LoadingRow key={item.key} index={item.index} />;
            return <TaskRow key={item.key} index={item.index} task={task} selected={selected} onSelect={select} />;
          })}
          {below > 0 && <tr aria-hidden="true" style={{ height: below }} />}
        </tbody>
      </table>
    </section>
  );
}

interface RowProps extends Pick<Props, "selected" | "onSelect"> {
  index: number;
  task: TaskRun;
}

function TaskRow({ index, task, selected, onSelect }: RowProps) {
  const selection = selectionOf(task.taskSlug, task.mapIndex);
  const look = lookOf(task.state);
  const quiet = look.family === "success";
  return (
    <tr aria-rowindex={index + 2} className={selection === selected ? "row-current" : ""}>
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
}

/** A row of the same height until its task run has arrived. */
function LoadingRow({ index }: { index: number }) {
  return (
    <tr aria-rowindex={index + 2} className="task-loading">
      <td colSpan={6} className="subtle">
        …
      </td>
    </tr>
  );
}
