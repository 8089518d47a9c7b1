import { MARKED_STATES, type MarkedState } from "../../lib/bulk";
import { SelectField } from "../../ui/select-field";

const OPTIONS = MARKED_STATES.map((value) => ({ value, text: value }));

export function MarkedStateField(props: { value: MarkedState; onChange: (state: MarkedState) => void }) {
  return (
    <SelectField
      label="Mark as"
      value={props.value}
      onChange={(value) => props.onChange(value as MarkedState)}
      options={OPTIONS}
    />
  );
}
