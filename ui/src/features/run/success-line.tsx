/** One quiet line for a successful run: what it did, and what is still worth a look. */

import type { Run } from "../../api/flow-runs";
import { counted } from "../../lib/counted";
import { familyCounts } from "../../lib/family-counts";
import type { Tasks } from "./use-tasks";

export function SuccessLine({ run, list }: { run: Run; list: Tasks }) {
  if (run.state.type !== "SUCCESS" || run.taskCounts.total === 0) return null;
  const isCounted = !list.isPending && !list.isLoadingMore && !list.isCapped && !list.error;
  return (
    <section className="card cause cause-success" aria-label="Result">
      <div className="muted facts">
        {isCounted ? resultOf(list, run.errorCount).map((fact) => <span key={fact}>{fact}</span>) : "The run succeeded"}
      </div>
    </section>
  );
}

/** Counted from the visible tasks, so that the line, the chips and the rows agree. */
function resultOf({ groups }: Tasks, errorCount: number): string[] {
  const counts = familyCounts(groups);
  const total = counts.reduce((sum, one) => sum + one.count, 0);
  const isAllWell = counts.every((one) => one.family === "success");
  const facts = isAllWell
    ? [`${counted(total, "task")} succeeded`]
    : counts.map((one) => `${one.count.toLocaleString("en")} ${one.word.toLowerCase()}`);
  if (errorCount > 0) facts.push(`${counted(errorCount, "error")} in the log`);
  return facts;
}
