/** What happens to missed due times and to runs that would overlap. */

import { MOST_CAUGHT_UP, type PolicyTexts } from "../../lib/schedule-form";
import { CATCH_UP, type CatchUp, OVERLAP, type Overlap, readCount, readWindow } from "../../lib/schedules";
import { SelectField } from "../../ui/select-field";
import { TextInput } from "../../ui/text-input";

interface Props {
  texts: PolicyTexts;
  set: (change: Partial<PolicyTexts>) => void;
  /** What the code says of an edited field. */
  help: (field: string) => string | undefined;
}

export function PolicyFields({ texts, set, help }: Props) {
  const most = `Enter a whole number from 1 to ${MOST_CAUGHT_UP.toLocaleString("en")}.`;
  return (
    <>
      <SelectField
        label="Due times missed while the appliance was down"
        value={texts.catchUp}
        onChange={(value) => set({ catchUp: value as CatchUp })}
        options={CATCH_UP}
        help={help("catch_up")}
      />
      {texts.catchUp === "all" && (
        <TextInput
          label="Maximum number, latest first"
          value={texts.cap}
          onChange={(cap) => set({ cap })}
          inputMode="numeric"
          help={help("catch_up_cap")}
          error={readCount(texts.cap, MOST_CAUGHT_UP) === null ? most : ""}
        />
      )}
      {texts.catchUp !== "none" && (
        <TextInput
          label="Ignore those overdue by more than (minutes)"
          value={texts.minutes}
          onChange={(minutes) => set({ minutes })}
          inputMode="decimal"
          help={help("catch_up_window") ?? "Leave it empty to ignore none."}
          error={readWindow(texts.minutes) === null ? "Enter a number of minutes above 0, or leave it empty." : ""}
        />
      )}
      <SelectField
        label="When a run is due while an older one is still active"
        value={texts.overlap}
        onChange={(value) => set({ overlap: value as Overlap })}
        options={OVERLAP}
        help={help("overlap")}
      />
    </>
  );
}
