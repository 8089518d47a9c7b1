import { ToggleButton } from "react-aria-components";
import { hidesSubRuns, withSubRuns } from "../../lib/run-filter";

/** Whether the list has the runs that other runs have started. */
export function SubRunsToggle({ q, onChange }: { q: string; onChange: (q: string) => void }) {
  const hides = hidesSubRuns(q);
  if (hides === null) return null;
  return (
    <div className="chips sub-runs">
      <ToggleButton className="chip" isSelected={!hides} onChange={(shown) => onChange(withSubRuns(q, shown))}>
        Sub-runs
      </ToggleButton>
    </div>
  );
}
