/** The next ten due times of a schedule, in its zone, with notes; each can be skipped and restored. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import type { Schedule } from "../../api/flows";
import { type DueTime, nextTimesQuery, setSkipped } from "../../api/schedules";
import { clockTime } from "../../lib/due-times";
import { newKey } from "../../lib/keys";
import { BusyButton } from "../../ui/busy-button";
import { Dialog } from "../../ui/dialog";
import { Failure, Skeleton } from "../../ui/notice";
import { toastError } from "../../ui/toasts";
import { useMay, useWriting } from "../session/permissions";
import { DueTimes } from "./due-times";

export default function NextDialog({ schedule, onClose }: { schedule: Schedule; onClose: () => void }) {
  const query = useQuery(nextTimesQuery(schedule.id));
  const may = useMay();
  return (
    <Dialog title={`Next due times of “${schedule.description}”`} isOpen onClose={onClose}>
      {query.isPending ? (
        <Skeleton rows={6} label="due times" />
      ) : query.isError ? (
        <Failure error={query.error} retry={() => void query.refetch()} what="The due times" />
      ) : (
        <>
          <p className="muted">
            On the clock of {schedule.timezone}.{!schedule.active && " The schedule is paused: they get no runs."}
          </p>
          <DueTimes
            preview={query.data}
            action={may("schedules:edit") ? (time) => <SkipButton schedule={schedule} time={time} /> : undefined}
          />
        </>
      )}
      <div className="row end">
        <Button className="button" onPress={onClose}>
          Close
        </Button>
      </div>
    </Dialog>
  );
}

/** Skips the time, whose run goes, or restores it; the other button is the undo. */
function SkipButton({ schedule, time }: { schedule: Schedule; time: DueTime }) {
  const client = useQueryClient();
  const writing = useWriting();
  const isSkipped = time.skipped !== null;
  const set = useMutation({
    mutationFn: () => setSkipped({ scheduleId: schedule.id, at: time.at, idempotencyKey: newKey() }, !isSkipped),
    onSuccess: () => client.invalidateQueries(),
    onError: (error) => {
      toastError(error);
      return client.invalidateQueries({ queryKey: nextTimesQuery(schedule.id).queryKey });
    },
  });
  const verb = isSkipped ? "Restore" : "Skip";
  return (
    <BusyButton
      className="button small"
      isBusy={set.isPending}
      isDisabled={!writing.allowed}
      onPress={() => set.mutate()}
      aria-label={`${verb} ${clockTime(time.local)}`}
    >
      {verb}
    </BusyButton>
  );
}
