import { useNavigate } from "@tanstack/react-router";
import type { RunRow } from "../../api/flow-runs";
import { parseRunView, type RunView, SHOWS, withShow } from "../../lib/run-filter";
import { useShortcuts } from "../../ui/shortcuts";
import type { Selecting } from "./runs-table";

interface Keys {
  view: RunView;
  change: (view: RunView) => void;
  runs: readonly RunRow[];
  /** The index of the current run, -1 for none. */
  current: number;
  setCurrent: (change: (index: number) => number) => void;
  selecting: Selecting | undefined;
  /** Clears the selection; null while there is none. */
  clear: (() => void) | null;
  /** The run that is looked at beside the list. */
  isLooking: boolean;
  look: (isLooking: boolean) => void;
  focusFilter: () => void;
  showNew: () => void;
}

/** The keyboard shortcuts of the list of runs. */
export function useRunsShortcuts(keys: Keys): void {
  const { view, change, runs, selecting, clear } = keys;
  const navigate = useNavigate();
  const run = runs[keys.current];
  const move = (step: number) => keys.setCurrent((at) => Math.min(runs.length - 1, Math.max(0, at + step)));
  const select = (range: boolean) => {
    if (run) selecting?.onToggle(run.id, range);
  };
  const open = () => {
    if (run) void navigate({ to: "/runs/$runId", params: { runId: run.id } });
  };
  useShortcuts("Runs", [
    { keys: "/", label: "Filter", run: keys.focusFilter },
    { keys: "j", label: "Next run", run: () => move(1) },
    { keys: "k", label: "Previous run", run: () => move(-1) },
    { keys: "Enter", label: "Open the run", run: open },
    { keys: " ", label: "Quick look", run: () => run && keys.look(!keys.isLooking) },
    { keys: "u", label: "Show new runs", run: keys.showNew },
    ...(selecting
      ? [
          { keys: "x", label: "Select the run", run: () => select(false) },
          { keys: "Shift X", label: "Select all up to the current run", run: () => select(true) },
        ]
      : []),
    ...(keys.isLooking ? [{ keys: "Escape", label: "Close the quick look", run: () => keys.look(false) }] : []),
    ...(clear && !keys.isLooking ? [{ keys: "Escape", label: "Clear the selection", run: clear }] : []),
    ...SHOWS.map((show, index) => ({
      keys: String(index + 1),
      label: `Show ${show.label.toLowerCase()}`,
      run: () => change(parseRunView({ q: withShow(view.q, show.id) })),
    })),
  ]);
}
