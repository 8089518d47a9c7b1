/** Navigation in a log: to the next error, the next match, the end. */

import { type LogFilter, logsPage } from "../../api/logs";
import { cursorOf, nextError } from "../../lib/log-model";
import { toast, toastError } from "../../ui/toasts";
import { ERROR } from "./log-view";
import type { LogRows } from "./use-log-rows";

type Step = 1 | -1;

export interface Jumps {
  toError: (step: Step) => void;
  toMatch: (step: Step) => void;
  toEnd: () => void;
}

export function jumpsIn(
  rows: LogRows,
  flowRunId: string,
  filter: LogFilter,
  find: string,
  matches: readonly number[],
): Jumps {
  const { view, lines, current, show, open, setFollowing } = rows;
  /** Asks the server for the next match or error beyond the loaded lines. */
  const jumpBeyond = async (narrower: LogFilter, what: string, step: Step) => {
    const edge = step === 1 ? view.records.at(-1) : view.records[0];
    const isMore = step === 1 ? view.hasNewer : view.hasOlder;
    const from = edge && isMore ? { [step === 1 ? "after" : "before"]: cursorOf(edge.id) } : null;
    const target = from ? (await logsPage(flowRunId, { ...filter, ...narrower }, from, 1)).items[0] : undefined;
    if (!target) toast(`No ${step === 1 ? "further" : "earlier"} ${what}.`);
    else {
      setFollowing(false);
      await open(target.id);
    }
  };
  const beyond = (narrower: LogFilter, what: string, step: Step) =>
    void jumpBeyond(narrower, what, step).catch(toastError);
  return {
    toError: (step) => {
      const line = nextError(lines, current >= 0 ? current : step === 1 ? -1 : lines.length, step);
      if (line >= 0) show(line);
      else beyond({ minLevel: ERROR }, "errors", step);
    },
    toMatch: (step) => {
      const next = step === 1 ? matches.find((line) => line > current) : matches.findLast((line) => line < current);
      if (next !== undefined) show(next);
      else if (step === 1 ? view.hasNewer : view.hasOlder) beyond({ text: find.trim() }, "matches", step);
      else if (matches.length > 0) show((step === 1 ? matches[0] : matches.at(-1)) as number);
    },
    toEnd: () => {
      setFollowing(true);
      if (view.hasNewer) void open("end");
    },
  };
}
