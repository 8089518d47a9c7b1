/** The URL of a run's page: which views are open, which task is selected, what the log shows. */

import { text } from "../../lib/paths";
import { LEVELS, type LogSearch, STREAMS } from "../log/levels";

export interface RunSearch extends LogSearch {
  view?: "table";
  pane?: "parameters" | "history" | "children" | "artifacts";
  task?: string;
}

const PANES = ["parameters", "history", "children", "artifacts"] as const;

export function parseRunSearch(search: Record<string, unknown>): RunSearch {
  return {
    view: search.view === "table" ? "table" : undefined,
    pane: PANES.find((pane) => pane === search.pane),
    task: text(search.task),
    level: LEVELS.find((level) => level.name !== undefined && level.name === search.level)?.name,
    stream: STREAMS.find((stream) => stream.name !== undefined && stream.name === search.stream)?.name,
    find: text(search.find),
  };
}
