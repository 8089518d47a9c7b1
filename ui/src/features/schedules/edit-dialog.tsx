/** Edits a schedule: its times, parameters, labels and policies. Shows what an operator has changed of what the code declares. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { flowQuery, type Schedule } from "../../api/flows";
import { ApiError } from "../../api/http";
import { editSchedule, resetScheduleField } from "../../api/schedules";
import {
  changesOf,
  contentOf,
  type Difference,
  differencesOf,
  editInWords,
  rebased,
  type ScheduleChanges,
  type ScheduleTexts,
  textsOf,
} from "../../lib/schedule-form";
import { BusyButton } from "../../ui/busy-button";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";
import { LivePreview, usePreview } from "./due-times";
import { problemOf, useFocusOn } from "./field-problem";
import { PolicyFields } from "./policy-fields";
import { RunFields, TimeFields } from "./schedule-fields";

interface Props {
  flowId: string;
  schedule: Schedule;
  onClose: () => void;
}

export default function EditDialog({ flowId, schedule: current, onClose }: Props) {
  const [schedule, setSchedule] = useState(current); // as seen: saving on top of a later version would undo an edit unseen
  const [texts, setTexts] = useState(() => textsOf(schedule));
  const [conflict, setConflict] = useState<Difference[] | null>(null);
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: (changes: ScheduleChanges) => editSchedule(schedule.id, schedule.version, changes),
    onSuccess: () => {
      toast(`${schedule.description}: saved; its future runs were replaced.`);
      onClose();
      return client.invalidateQueries();
    },
    onError: async (error) => {
      if (!(error instanceof ApiError && error.code === "conflict" && "version" in error.details)) return;
      const flow = await client.fetchQuery({ ...flowQuery(flowId), staleTime: 0 });
      const theirs = flow?.schedules.find(({ id }) => id === schedule.id);
      if (theirs === undefined) return;
      setConflict(differencesOf(schedule, theirs, texts));
      setTexts(rebased(schedule, theirs, texts));
      setSchedule(theirs);
      save.reset();
    },
  });
  const set = (change: Partial<ScheduleTexts>) => {
    save.reset(); // what was refused is being corrected
    setTexts((now) => ({ ...now, ...change }));
  };
  const changes = changesOf(schedule, texts);
  const preview = usePreview(
    flowId,
    useMemo(() => {
      const content = contentOf(schedule, texts);
      return content && { ...content, scheduleId: schedule.id };
    }, [schedule, texts]),
  );
  const problem = problemOf(save.error) ?? problemOf(preview.error);
  useFocusOn(problemOf(save.error)?.field);
  const help = (field: string) => codeSays(schedule, field);
  return (
    <ConfirmDialog
      title={`Edit “${schedule.description}”`}
      isOpen
      onClose={onClose}
      keep="Keep as is"
      confirm="Save"
      isPending={save.isPending}
      isDisabled={changes === null || Object.keys(changes).length === 0}
      error={problemOf(save.error) ? null : save.error}
      hasReason={false}
      onConfirm={() => changes && save.mutate(changes)}
    >
      <Ownership schedule={schedule} onClose={onClose} />
      <TimeFields kind={schedule.kind} texts={texts} set={set} help={help} problem={problem} />
      <LivePreview preview={preview} />
      <RunFields texts={texts} set={set} problem={problem} />
      <PolicyFields texts={texts} set={set} help={help} />
      {conflict && <Conflict differences={conflict} />}
    </ConfirmDialog>
  );
}

/** What somebody else has saved since the form was opened. */
function Conflict({ differences }: { differences: Difference[] }) {
  return (
    <div className="conflict" role="alert">
      <p>
        Somebody else changed this schedule while you were editing it. Nothing was saved yet, and your changes are still
        in the form. Check them against theirs, then save again.
      </p>
      <ul aria-label="Changed by somebody else">
        {differences.map(({ field, before, now, own }) => (
          <li key={field}>
            {field}: <del>{before || "nothing"}</del> <ins>{now || "nothing"}</ins>
            {own !== null && <> (yours: {own || "nothing"})</>}
          </li>
        ))}
      </ul>
    </div>
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
