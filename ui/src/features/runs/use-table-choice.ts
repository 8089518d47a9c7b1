/** The columns and the density that a person has chosen, kept by the browser. */

import { useState } from "react";
import { type ColumnId, type Density, parseColumns, parseDensity, printColumns } from "../../lib/run-columns";

const COLUMNS = "runs.columns";
const DENSITY = "runs.density";

export interface TableChoice {
  columns: readonly ColumnId[];
  density: Density;
  chooseColumns: (columns: Iterable<string>) => void;
  chooseDensity: (density: string) => void;
}

/** `shown` are the columns that the address asks for, in place of the usual ones; choosing others calls `onChoose`. */
export function useTableChoice(shown: string | undefined, onChoose: () => void): TableChoice {
  const [columns, setColumns] = useState(() => parseColumns(localStorage.getItem(COLUMNS)));
  const [density, setDensity] = useState(() => parseDensity(localStorage.getItem(DENSITY)));
  return {
    columns: shown === undefined ? columns : parseColumns(shown),
    density,
    chooseColumns: (next) => {
      const text = printColumns(next);
      localStorage.setItem(COLUMNS, text);
      setColumns(parseColumns(text));
      onChoose();
    },
    chooseDensity: (next) => {
      localStorage.setItem(DENSITY, next);
      setDensity(parseDensity(next));
    },
  };
}
