import { Label, Radio, RadioGroup } from "react-aria-components";
import "../../ui/radios.css";
import "./people.css";

interface Props<Id extends string> {
  label: string;
  value: Id;
  onChange: (id: Id) => void;
  choices: readonly { id: Id; word: string; help: string }[];
}

/** One of a few choices, each with what it means. */
export function ChoiceField<Id extends string>({ label, value, onChange, choices }: Props<Id>) {
  return (
    <RadioGroup className="field" value={value} onChange={(id) => onChange(id as Id)}>
      <Label className="field-label">{label}</Label>
      <div className="radios radios-down">
        {choices.map(({ id, word, help }) => (
          <Radio key={id} value={id} className="radio choice">
            <span>
              {word}
              <span className="field-help">{help}</span>
            </span>
          </Radio>
        ))}
      </div>
    </RadioGroup>
  );
}
