/** What can be done to the selected runs, each with the number of those that can take it. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { type Count, countsQuery, type RunRow } from "../../api/flow-runs";
import { BULK, type BulkAction, type BulkFilter, type BulkKind, filterFor, runsIn } from "../../lib/bulk";
import type { RunFilter } from "../../lib/run-filter";
import type { Selection } from "../../lib/selection";
import { useMay, useWriting } from "../permissions";
import { BulkDialog } from "./bulk-dialog";

interface Props {
  selection: Selection;
  /** The rows of the selection that are loaded. */
  selected: readonly RunRow[];
  filter: RunFilter;
  /** How many the list has, and whether that is only a lower bound. */
  total: Count;
  onAll: () => void;
  onClear: () => void;
}

/** The runs that one action is about: named, or all that a filter finds. */
export interface Target {
  kind: BulkKind;
  count: Count;
  runs?: readonly RunRow[];
  filter?: BulkFilter;
}

export function BulkBar({ selection, selected, filter, total, onAll, onClear }: Props) {
  const writing = useWriting();
  const [asked, setAsked] = useState<Target | null>(null);
  const isAll = selection.allSince !== null;
  const targets = useTargets(selection, selected, filter);
  if (!isAll && selected.length === 0) return null;
  const canHaveMore = !isAll && (total.total > selected.length || total.totalCapped);
  return (
    <section className="bulk-bar" aria-label="Selected runs">
      <b className="number" role="status">
        {isAll
          ? `All ${runsIn(total.total, total.totalCapped)} that match`
          : `${selected.length.toLocaleString("en")} selected`}
      </b>
      {canHaveMore && (
        <Button className="button quiet small link" onPress={onAll}>
          Select all {total.total.toLocaleString("en")}
          {total.totalCapped && "+"} matches
        </Button>
      )}
      <span className="spring" />
      {targets.map((target) => (
        <Button
          key={target.kind.action}
          className={target.kind.action === "delete" ? "button danger" : "button"}
          isDisabled={!writing.allowed}
          onPress={() => setAsked(target)}
        >
          {target.kind.button(shown(target.count))}
        </Button>
      ))}
      <Button className="button quiet" onPress={onClear}>
        Clear
      </Button>
      {asked && (
        <BulkDialog
          target={asked}
          selected={isAll ? total : { total: selected.length, totalCapped: false }}
          onClose={() => setAsked(null)}
          onDone={onClear}
        />
      )}
    </section>
  );
}

const shown = ({ total, totalCapped }: Count) => `${total.toLocaleString("en")}${totalCapped ? "+" : ""}`;

function useTargets(selection: Selection, selected: readonly RunRow[], list: RunFilter): Target[] {
  const may = useMay();
  const kinds = may("runs:bulk") ? BULK.filter((kind) => may(kind.permission)) : [];
  const filters: Partial<Record<BulkAction, BulkFilter>> = {};
  if (selection.allSince !== null) {
    for (const kind of kinds) {
      const filter = filterFor(kind, list, selection.allSince);
      if (filter) filters[kind.action] = filter;
    }
  }
  const counts = useQuery({ ...countsQuery(filters), enabled: selection.allSince !== null });
  const targets =
    selection.allSince === null
      ? kinds.map((kind): Target => {
          const runs = selected.filter(kind.isValid);
          return { kind, runs, count: { total: runs.length, totalCapped: false } };
        })
      : kinds.map((kind): Target => {
          const count = counts.data?.[kind.action] ?? { total: 0, totalCapped: false };
          return { kind, filter: filters[kind.action], count };
        });
  return targets.filter((target) => target.count.total > 0);
}
