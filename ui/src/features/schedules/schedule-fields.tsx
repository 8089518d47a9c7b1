/** The fields of a schedule's form: when it is due, and what its runs get. */

import { useId, useState } from "react";
import { FieldError, Label, Text, TextArea, TextField } from "react-aria-components";
import { readDates, readParameters, readSeconds, type ScheduleTexts } from "../../lib/schedule-form";
import { SelectField } from "../../ui/select-field";
import { TextInput } from "../../ui/text-input";
import type { Problem } from "./field-problem";

const KINDS = [
  { value: "cron", text: "by a cron expression" },
  { value: "interval", text: "at an interval" },
  { value: "dates", text: "on given dates" },
];
const RULE = { value: "rrule", text: "by a recurrence rule" };
const DAYS = [
  { value: "either", text: "a day that matches either counts" },
  { value: "both", text: "a day must match both" },
];

interface FieldProps {
  texts: ScheduleTexts;
  set: (change: Partial<ScheduleTexts>) => void;
  /** What the server says against one of the fields. */
  problem: Problem | null;
}

interface TimeProps extends FieldProps {
  /** How it was due before: a kind that can't be made here can be kept. */
  kind: string;
  help: (field: string) => string | undefined;
}

export function TimeFields({ kind, texts, set, help, problem }: TimeProps) {
  const zones = useId();
  const [suggests, setSuggests] = useState(false); // hundreds of zones, only while one is chosen
  const at = (field: string) => (problem?.field === field ? problem.message : "");
  return (
    <>
      <SelectField
        label="Due"
        value={texts.kind}
        onChange={(chosen) => set({ kind: chosen })}
        options={kind === RULE.value ? [RULE, ...KINDS] : KINDS}
        help={help("times")}
      />
      {texts.kind === "cron" && (
        <>
          <TextInput
            label="Cron expression"
            name="cron"
            value={texts.cron}
            onChange={(cron) => set({ cron })}
            help={help("cron") ?? "Minute, hour, day of the month, month, day of the week: 30 6 * * 1-5"}
            error={texts.cron.trim() ? at("cron") : "Enter a cron expression, such as 30 6 * * *."}
          />
          <SelectField
            label="If both day fields are set"
            value={texts.days}
            onChange={(days) => set({ days: days as ScheduleTexts["days"] })}
            options={DAYS}
            help={help("day_or")}
          />
        </>
      )}
      {texts.kind === "interval" && (
        <TextInput
          label="Interval (seconds)"
          name="seconds"
          value={texts.seconds}
          onChange={(seconds) => set({ seconds })}
          inputMode="decimal"
          help={help("seconds")}
          error={readSeconds(texts.seconds) === null ? "Enter a number of seconds, at least 1." : at("seconds")}
        />
      )}
      {texts.kind === "dates" && (
        <TextField
          className="field"
          name="dates"
          value={texts.dates}
          onChange={(dates) => set({ dates })}
          isInvalid={readDates(texts.dates).length === 0 || at("dates") !== ""}
          validationBehavior="aria"
        >
          <Label className="field-label">Dates with times, one per line</Label>
          <TextArea className="input area mono" rows={4} placeholder="2026-12-24 06:00" />
          <FieldError className="field-error">
            {readDates(texts.dates).length === 0 ? "Enter at least one date, such as 2026-12-24 06:00." : at("dates")}
          </FieldError>
        </TextField>
      )}
      <TextInput
        label="Time zone"
        name="timezone"
        value={texts.timezone}
        onChange={(timezone) => set({ timezone })}
        onFocus={() => setSuggests(true)}
        onBlur={() => setSuggests(false)}
        list={zones}
        help={help("timezone")}
        error={texts.timezone.trim() ? at("timezone") : "Enter a time zone, such as Europe/Berlin."}
      />
      <datalist id={zones}>
        {suggests && ["UTC", ...Intl.supportedValuesOf("timeZone")].map((zone) => <option key={zone} value={zone} />)}
      </datalist>
    </>
  );
}

export function RunFields({ texts, set, problem, required = [] }: FieldProps & { required?: readonly string[] }) {
  const parameters = readParameters(texts.parameters);
  const error = parameters.ok ? (problem?.field === "parameters" ? problem.message : "") : parameters.error;
  return (
    <>
      <TextField
        className="field"
        name="parameters"
        value={texts.parameters}
        onChange={(text) => set({ parameters: text })}
        isInvalid={error !== ""}
        validationBehavior="aria"
      >
        <Label className="field-label">Parameters of its runs (JSON)</Label>
        <TextArea className="input area mono" rows={3} />
        {required.length > 0 && error === "" && (
          <Text slot="description" className="field-help">
            Required: {required.join(", ")}.
          </Text>
        )}
        <FieldError className="field-error">{error}</FieldError>
      </TextField>
      <TextInput
        label="Labels, separated by commas"
        value={texts.labels}
        onChange={(labels) => set({ labels })}
        help="An agent must have all of them. Empty: those of the flow."
      />
    </>
  );
}
