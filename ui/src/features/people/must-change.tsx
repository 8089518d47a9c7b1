interface Props {
  when: "first" | "next";
  isOn: boolean;
  onChange: (isOn: boolean) => void;
}

/** Whether a password that somebody else has chosen is good for one sign-in only. */
export function MustChange({ when, isOn, onChange }: Props) {
  return (
    <label className="row">
      <input type="checkbox" checked={isOn} onChange={(event) => onChange(event.target.checked)} />
      They must change it at their {when} sign-in
    </label>
  );
}
