/** The actions on the selected runs, each with the number of runs it applies to. */

import { useState } from "react";
import { Button } from "react-aria-components";
import type { Count, RunRow } from "../../api/flow-runs";
import type { RunFilter } from "../../lib/run-filter";
import type { Selection } from "../../lib/selection";
import { useWriting } from "../session/permissions";
import { BulkDialog } from "./bulk-dialog";
import { type Target, useTargets } from "./targets";
import "./bulk.css";

interface Props {
  selection: Selection;
  /** The loaded rows of the selection. */
  selected: readonly RunRow[];
  filter: RunFilter;
  /** The length of the list, and whether that is only a lower bound. */
  total: Count;
  onAll: () => void;
  onClear: () => void;
}

export function BulkBar({ selection, selected, filter, total, onAll, onClear }: Props) {
  const writing = useWriting();
  const [question, setQuestion] = useState<Target | null>(null);
  const isAll = selection.allSince !== null;
  const targets = useTargets(selection, selected, filter);
  if (!isAll && selected.length === 0) return null;
  const canHaveMore = !isAll && (total.total > selected.length || total.totalCapped);
  return (
    <section className="bulk-bar" aria-label="Selected runs">
      <b className="number" role="status">
        {isAll ? `All ${countText(total)} matches selected` : `${selected.length.toLocaleString("en")} selected`}
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
          onPress={() => setQuestion(target)}
        >
          {target.kind.button(countText(target.count))}
        </Button>
      ))}
      <Button className="button quiet" onPress={onClear}>
        Clear
      </Button>
      {question && (
        <BulkDialog
          target={question}
          selected={isAll ? total : { total: selected.length, totalCapped: false }}
          onClose={() => setQuestion(null)}
          onDone={onClear}
        />
      )}
    </section>
  );
}

const countText = ({ total, totalCapped }: Count) => `${total.toLocaleString("en")}${totalCapped ? "+" : ""}`;
