/** Edits a schedule: its times, parameters, labels and policies. Shows what an operator has changed of what the code declares. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { FieldError, Label, TextArea, TextField } from "react-aria-components";
import type { Schedule } from "../../api/flows";
import { editSchedule, resetScheduleField } from "../../api/schedules";
import {
  changesOf,
  editInWords,
  readParameters,
  readSeconds,
  type ScheduleChanges,
  type ScheduleTexts,
  textsOf,
} from "../../lib/schedule-form";
import { BusyButton } from "../../ui/busy-button";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { SelectField } from "../../ui/select-field";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";
import { PolicyFields } from "./policy-fields";

const KINDS = [
  { value: "cron", text: "by a cron expression" },
  { value: "interval", text: "at an interval" },
];
const OTHER_KINDS: Record<string, string> = { dates: "on given dates", rrule: "by a recurrence rule" };
const DAYS = [
  { value: "either", text: "a day that matches either counts" },
  { value: "both", text: "a day must match both" },
];

export default function EditDialog({ schedule, onClose }: { schedule: Schedule; onClose: () => void }) {
  const [texts, setTexts] = useState(() => textsOf(schedule));
  const set = (change: Partial<ScheduleTexts>) => setTexts((now) => ({ ...now, ...change }));
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: (changes: ScheduleChanges) => editSchedule(schedule.id, schedule.version, changes),
    onSuccess: () => {
      toast(`${schedule.description}: saved; its future runs were replaced.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  const changes = changesOf(schedule, texts);
  return (
    <ConfirmDialog
      title={`Edit “${schedule.description}”`}
      isOpen
      onClose={onClose}
      keep="Keep as is"
      confirm="Save"
      isPending={save.isPending}
      isDisabled={changes === null || Object.keys(changes).length === 0}
      error={save.error}
      hasReason={false}
      onConfirm={() => changes && save.mutate(changes)}
    >
      <Ownership schedule={schedule} onClose={onClose} />
      <TimeFields schedule={schedule} texts={texts} set={set} />
      <RunFields texts={texts} set={set} />
      <PolicyFields texts={texts} set={set} help={(field) => codeSays(schedule, field)} />
    </ConfirmDialog>
  );
}

function codeSays(schedule: Schedule, field: string): string | undefined {
  const edit = schedule.edits.find((one) => one.field === field);
  return edit && `Changed by an operator: ${editInWords(edit)}.`;
}

/** Who owns which field, with a way back to what the code says. */
function Ownership({ schedule, onClose }: { schedule: Schedule; onClose: () => void }) {
  const client = useQueryClient();
  const reset = useMutation({
    mutationFn: (field: string) => resetScheduleField(schedule.id, schedule.version, field),
    onSuccess: () => {
      toast(`${schedule.description}: back to what the code says.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  if (schedule.origin !== "code") return <p className="muted">Added by a person: no deployment changes it.</p>;
  return (
    <div>
      <p className="muted">
        Declared in the flow's code. What you change here stays until the code changes the same field.
      </p>
      {schedule.edits.length > 0 && (
        <ul className="edits" aria-label="Changed by operators">
          {schedule.edits.map((edit) => (
            <li key={edit.field}>
              <span>{editInWords(edit).replace(/^./, (letter) => letter.toUpperCase())}.</span>{" "}
              <BusyButton
                className="button small"
                isBusy={reset.isPending && reset.variables === edit.field}
                isDisabled={reset.isPending}
                onPress={() => reset.mutate(edit.field)}
                aria-label={`Use the code's value: ${edit.field}`}
              >
                Use the code's value
              </BusyButton>
            </li>
          ))}
        </ul>
      )}
      {reset.error && (
        <p className="form-error" role="alert">
          {reset.error.message}
        </p>
      )}
    </div>
  );
}

interface FieldProps {
  texts: ScheduleTexts;
  set: (change: Partial<ScheduleTexts>) => void;
}

function TimeFields({ schedule, texts, set }: FieldProps & { schedule: Schedule }) {
  const zones = useId();
  const [suggests, setSuggests] = useState(false); // hundreds of zones, only while one is chosen
  const other = OTHER_KINDS[schedule.kind];
  return (
    <>
      <SelectField
        label="Due"
        value={texts.kind}
        onChange={(kind) => set({ kind })}
        options={other ? [{ value: schedule.kind, text: other }, ...KINDS] : KINDS}
        help={codeSays(schedule, "times")}
      />
      {texts.kind === "cron" && (
        <>
          <TextInput
            label="Cron expression"
            value={texts.cron}
            onChange={(cron) => set({ cron })}
            help={codeSays(schedule, "cron") ?? "Minute, hour, day of the month, month, day of the week: 30 6 * * 1-5"}
            error={texts.cron.trim() ? "" : "Enter a cron expression, such as 30 6 * * *."}
          />
          <SelectField
            label="If both day fields are set"
            value={texts.days}
            onChange={(days) => set({ days: days as ScheduleTexts["days"] })}
            options={DAYS}
            help={codeSays(schedule, "day_or")}
          />
        </>
      )}
      {texts.kind === "interval" && (
        <TextInput
          label="Interval (seconds)"
          value={texts.seconds}
          onChange={(seconds) => set({ seconds })}
          inputMode="decimal"
          help={codeSays(schedule, "seconds")}
          error={readSeconds(texts.seconds) === null ? "Enter a number of seconds, at least 1." : ""}
        />
      )}
      <TextInput
        label="Time zone"
        value={texts.timezone}
        onChange={(timezone) => set({ timezone })}
        onFocus={() => setSuggests(true)}
        onBlur={() => setSuggests(false)}
        list={zones}
        help={codeSays(schedule, "timezone")}
        error={texts.timezone.trim() ? "" : "Enter a time zone, such as Europe/Berlin."}
      />
      <datalist id={zones}>
        {suggests && ["UTC", ...Intl.supportedValuesOf("timeZone")].map((zone) => <option key={zone} value={zone} />)}
      </datalist>
    </>
  );
}

function RunFields({ texts, set }: FieldProps) {
  const parameters = readParameters(texts.parameters);
  return (
    <>
      <TextField
        className="field"
        value={texts.parameters}
        onChange={(text) => set({ parameters: text })}
        isInvalid={!parameters.ok}
        validationBehavior="aria"
      >
        <Label className="field-label">Parameters of its runs (JSON)</Label>
        <TextArea className="input area mono" rows={3} />
        <FieldError className="field-error">{parameters.ok ? "" : parameters.error}</FieldError>
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
