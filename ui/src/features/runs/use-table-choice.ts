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

export function useTableChoice(): TableChoice {
  const [columns, setColumns] = useState(() => parseColumns(localStorage.getItem(COLUMNS)));
  const [density, setDensity] = useState(() => parseDensity(localStorage.getItem(DENSITY)));
  return {
    columns,
    density,
    chooseColumns: (next) => {
      const text = printColumns(next);
      localStorage.setItem(COLUMNS, text);
      setColumns(parseColumns(text));
    },
    chooseDensity: (next) => {
      localStorage.setItem(DENSITY, next);
      setDensity(parseDensity(next));
    },
  };
}
