/** The number of task runs in each state; each count filters by its state. */

import { ToggleButton } from "react-aria-components";
import { familyCounts } from "../../lib/family-counts";
import type { Family } from "../../lib/states";
import type { TaskGroup } from "../../lib/task-groups";
import { StateIcon } from "../../ui/state-icon";

interface Props {
  groups: readonly TaskGroup[];
  chosen: Family | null;
  onChoose: (family: Family | null) => void;
}

export function FamilyFilter({ groups, chosen, onChoose }: Props) {
  const counts = familyCounts(groups);
  if (counts.length === 0) return null;
  return (
    <fieldset className="families">
      <legend className="unseen">Show only tasks in one state</legend>
      {counts.map((one) => (
        <ToggleButton
          key={one.family}
          className={`pill family-chip family-${one.family}`}
          aria-label={`${one.count.toLocaleString("en")} ${one.word}`}
          isSelected={one.family === chosen}
          onChange={(isOn) => onChoose(isOn ? one.family : null)}
        >
          <StateIcon look={one} />
          <span className="number">{one.count.toLocaleString("en")}</span>
        </ToggleButton>
      ))}
    </fieldset>
  );
}
