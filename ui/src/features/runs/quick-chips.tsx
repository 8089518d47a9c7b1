import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import type { Count } from "../../api/flow-runs";
import { SHOWS, type Show, showOf } from "../../lib/run-filter";

interface Props {
  q: string;
  /** How many runs each choice has, beside what else the query asks for. */
  counts: Partial<Record<Show, Count>> | undefined;
  onChoose: (show: Show) => void;
}

/** The states that people ask for most. */
export function QuickChips({ q, counts, onChoose }: Props) {
  const show = showOf(q);
  return (
    <ToggleButtonGroup
      className="chips quick-chips"
      aria-label="State"
      selectionMode="single"
      selectedKeys={show ? [show] : []}
      disallowEmptySelection={show !== null}
      onSelectionChange={(keys) => onChoose(([...keys][0] as Show | undefined) ?? "all")}
    >
      {SHOWS.map(({ id, label }) => (
        <ToggleButton key={id} id={id} className="chip">
          {label}
          {counts?.[id] && (
            <span className={`chip-count number ${attentionOf(id, counts[id])}`}>{countOf(counts[id])}</span>
          )}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}

const countOf = ({ total, totalCapped }: Count) => ` ${total.toLocaleString("en")}${totalCapped ? "+" : ""}`;

function attentionOf(show: Show, { total }: Count): string {
  if (total === 0) return "";
  if (show === "failed") return "text-failed";
  return show === "late" ? "text-attention" : "";
}
