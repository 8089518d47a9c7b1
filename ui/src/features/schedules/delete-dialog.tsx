/** Deletes a schedule that a person has added, after saying what goes with it; of one that the code declares, says what to do instead. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Schedule } from "../../api/flows";
import { deleteSchedule, scheduleDeletionQuery, setScheduleActive } from "../../api/schedules";
import { counted } from "../../lib/counted";
import { newKey } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";

interface Props {
  schedule: Schedule;
  onClose: () => void;
}

export default function DeleteDialog(props: Props) {
  return props.schedule.origin === "code" ? <Declared {...props} /> : <Deletion {...props} />;
}

function Deletion({ schedule, onClose }: Props) {
  const [idempotencyKey] = useState(newKey);
  const client = useQueryClient();
  const planned = useQuery(scheduleDeletionQuery(schedule.id));
  const deletion = useMutation({
    mutationFn: () => deleteSchedule({ scheduleId: schedule.id, idempotencyKey }),
    onSuccess: () => {
      toast(`${schedule.description}: deleted.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  return (
    <ConfirmDialog
      title={`Delete “${schedule.description}”?`}
      isOpen
      onClose={onClose}
      keep="Keep schedule"
      confirm="Delete schedule"
      isDanger
      isPending={deletion.isPending}
      isDisabled={planned.data === undefined}
      error={deletion.error ?? planned.error}
      hasReason={false}
      onConfirm={() => deletion.mutate()}
    >
      {planned.data === undefined ? (
        <p className="muted">Counting…</p>
      ) : (
        <p>
          This deletes the schedule and {counted(planned.data, "planned run")}, for good. Runs that are due, in
          progress, or have ended stay.
        </p>
      )}
      <p className="muted">It can't be undone. To stop its runs for a while, pause the schedule instead.</p>
    </ConfirmDialog>
  );
}

function Declared({ schedule, onClose }: Props) {
  const client = useQueryClient();
  const pause = useMutation({
    mutationFn: () => setScheduleActive(schedule.id, false),
    onSuccess: () => {
      toast(`${schedule.description}: paused; its future runs were removed.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  return (
    <ConfirmDialog
      title={`“${schedule.description}” is declared in the code`}
      isOpen
      onClose={onClose}
      keep="Close"
      confirm={schedule.active ? "Pause schedule" : "Paused already"}
      isPending={pause.isPending}
      isDisabled={!schedule.active}
      error={pause.error}
      hasReason={false}
      onConfirm={() => pause.mutate()}
    >
      <p>
        It can't be deleted here. {schedule.active ? "Pause it" : "It stays paused"}: no deployment turns it on again.
        To be rid of it, remove it from the flow's code and deploy that.
      </p>
    </ConfirmDialog>
  );
}
