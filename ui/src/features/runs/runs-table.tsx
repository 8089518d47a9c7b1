import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type ReactNode, type RefObject, useEffect } from "react";
import type { RunRow } from "../../api/flow-runs";
import { ariaSort, type ColumnId, columnOf, nextSort } from "../../lib/run-columns";
import type { Sort } from "../../lib/run-filter";
import { lookOfRun } from "../../lib/states";
import { useNow } from "../../ui/clock";
import { usePhone } from "../../ui/phone";
import { cellOf } from "./run-cells";
import "./runs.css";

const ROW = 32;
const PHONE_ROW = 68;

interface Props {
  runs: readonly RunRow[];
  box: RefObject<HTMLDivElement | null>;
  total: number;
  current: number;
  onNearEnd: () => void;
  columns: readonly ColumnId[];
  /** The height of a row in pixels. */
  row?: number;
  /** The order of the runs, if their titles change it. */
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  /** What can be done to a run. */
  actions: (run: RunRow) => ReactNode;
  /** Makes runs selectable. */
  selecting?: Selecting;
}

export interface Selecting {
  extent: "none" | "some" | "all";
  isSelected: (id: string) => boolean;
  onToggle: (id: string, range: boolean) => void;
  onToggleAll: () => void;
}

export function RunsTable({ runs, box, total, current, onNearEnd, row = ROW, ...table }: Props) {
  const phone = usePhone();
  const height = phone ? PHONE_ROW : row;
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
    <table className="table runs-table" aria-rowcount={total + 1} style={{ "--row": `${row}px` } as CSSProperties}>
      <Head {...table} />
      <tbody>
        {first && first.start > 0 && <tr aria-hidden="true" style={{ height: first.start }} />}
        {items.map((item) => {
          const run = runs[item.index];
          return run && <Row key={run.id} run={run} index={item.index} isCurrent={item.index === current} {...table} />;
        })}
        {last && virtual.getTotalSize() > last.end && (
          <tr aria-hidden="true" style={{ height: virtual.getTotalSize() - last.end }} />
        )}
      </tbody>
    </table>
  );
}

type Table = Pick<Props, "columns" | "sort" | "onSort" | "actions" | "selecting">;

function Head({ columns, sort, onSort, selecting }: Table) {
  return (
    <>
      <colgroup>
        {selecting && <col className="col-check" />}
        {columns.map((id) => (
          <col key={id} className={`col-${id}`} />
        ))}
        <col className="col-action" />
      </colgroup>
      <thead>
        <tr>
          {selecting && (
            <th scope="col" className="cell-check">
              <AllBox selecting={selecting} />
            </th>
          )}
          {columns.map((id) => (
            <Title key={id} id={id} sort={sort} onSort={onSort} />
          ))}
          <th scope="col">
            <span className="unseen">Actions</span>
          </th>
        </tr>
      </thead>
    </>
  );
}

function Title({ id, sort, onSort }: { id: ColumnId } & Pick<Props, "sort" | "onSort">) {
  const column = columnOf(id);
  const next = sort && nextSort(column, sort);
  const order = ariaSort(column, sort);
  return (
    <th scope="col" className={column.isRight ? "right" : undefined} aria-sort={order}>
      {next && onSort ? (
        <button type="button" className="column-title" onClick={() => onSort(next)}>
          {column.title}
          <span className="column-order" aria-hidden="true">
            {order === "ascending" ? "↑" : "↓"}
          </span>
        </button>
      ) : (
        column.title
      )}
    </th>
  );
}

interface RowProps extends Table {
  run: RunRow;
  index: number;
  isCurrent: boolean;
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

function Row({ run, index, isCurrent, columns, actions, selecting }: RowProps) {
  const look = lookOfRun(run, useNow());
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
      {columns.map((id) => {
        const cell = cellOf(id, run, look);
        return (
          <td key={id} className={`cell-${id} ${cell.className ?? ""}`} title={cell.title}>
            {cell.content}
          </td>
        );
      })}
      <td className="cell-action">{actions(run)}</td>
    </tr>
  );
}
