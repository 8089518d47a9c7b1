/** Creates runs for past due times that have none: the range, a preview, and the rate. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { Schedule } from "../../api/flows";
import { backfill, previewBackfill } from "../../api/schedules";
import { counted } from "../../lib/counted";
import { type Reading, readTime } from "../../lib/form-model";
import { keyPerContent } from "../../lib/keys";
import { wall } from "../../lib/local-time";
import { type Preview, previewInWords, readCount } from "../../lib/schedules";
import { localZone } from "../../lib/time";
import { BusyButton } from "../../ui/busy-button";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { Instant } from "../../ui/instant";
import { TextInput } from "../../ui/text-input";
import { TimeInput } from "../../ui/time-input";

const MOST_AT_ONCE = 1_000;
const MOST_PER_MINUTE = 10_000;
const DAY = 86_400_000;

export default function BackfillDialog({ schedule, onClose }: { schedule: Schedule; onClose: () => void }) {
  const [start, setStart] = useState(() => midnight(Date.now() - DAY));
  const [end, setEnd] = useState(() => midnight(Date.now()));
  const [atOnce, setAtOnce] = useState("10");
  const [perMinute, setPerMinute] = useState("");
  const [withKey] = useState(keyPerContent);
  const client = useQueryClient();
  const navigate = useNavigate();
  const [from, until] = [readTime(start), readTime(end)];
  const range = rangeOf(schedule.id, from, until);
  const preview = useMutation({ mutationFn: previewBackfill });
  const [most, rate] = [readMost(atOnce), readRate(perMinute)];
  const create = useMutation({
    mutationFn: (reason: string) =>
      backfill(
        withKey({
          range: range as NonNullable<typeof range>,
          atOnce: most ?? 1,
          ...(rate && { perMinute: rate }),
          reason,
        }),
      ),
    onSuccess: async (job) => {
      onClose();
      await navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });
      await client.invalidateQueries();
    },
  });
  const set = (change: (text: string) => void) => (text: string) => {
    change(text);
    preview.reset(); // the preview was for another range
  };
  const effect = preview.data;
  const canCreate = effect !== undefined && effect.count > effect.existing && most !== null && rate !== null;
  return (
    <ConfirmDialog
      title={`Backfill “${schedule.description}”`}
      isOpen
      onClose={onClose}
      keep="Don't create"
      confirm={effect ? `Create ${counted(effect.count - effect.existing, "run")}` : "Create runs"}
      isPending={create.isPending}
      isDisabled={!canCreate}
      error={create.error ?? preview.error}
      reasonHelp="Shown on the job's page."
      onConfirm={(reason) => create.mutate(reason)}
    >
      <p className="muted">
        Creates a run for each past due time that has none. These runs are due immediately, and no due time runs twice.
        Times are in {localZone()}.
      </p>
      <TimeInput label="From" value={start} onChange={set(setStart)} error={errorOf(from)} />
      <TimeInput
        label="Until (exclusive)"
        value={end}
        onChange={set(setEnd)}
        error={errorOf(until) || (from.ok && !range ? "Enter a start and a later end." : "")}
      />
      <PreviewRow
        preview={preview.data}
        isBusy={preview.isPending}
        isDisabled={!range}
        onPress={() => range && preview.mutate(range)}
      />
      <Rates atOnce={atOnce} setAtOnce={setAtOnce} perMinute={perMinute} setPerMinute={setPerMinute} />
    </ConfirmDialog>
  );
}

interface PreviewProps {
  preview: Preview | undefined;
  isBusy: boolean;
  isDisabled: boolean;
  onPress: () => void;
}

function PreviewRow({ preview, isBusy, isDisabled, onPress }: PreviewProps) {
  return (
    <div className="row">
      <BusyButton className="button" isDisabled={isDisabled} isBusy={isBusy} onPress={onPress}>
        Preview
      </BusyButton>
      {preview && (
        <span role="status">
          {previewInWords(preview)}{" "}
          {preview.first && preview.last && preview.count > 1 && (
            <span className="muted">
              <Instant at={preview.first} /> to <Instant at={preview.last} />
            </span>
          )}
        </span>
      )}
    </div>
  );
}

const readMost = (text: string) => readCount(text, MOST_AT_ONCE);
/** Empty means unlimited. */
const readRate = (text: string) => (text.trim() === "" ? undefined : readCount(text, MOST_PER_MINUTE));

interface RateProps {
  atOnce: string;
  setAtOnce: (text: string) => void;
  perMinute: string;
  setPerMinute: (text: string) => void;
}

function Rates({ atOnce, setAtOnce, perMinute, setPerMinute }: RateProps) {
  return (
    <>
      <TextInput
        label="Maximum runs at once"
        value={atOnce}
        onChange={setAtOnce}
        inputMode="numeric"
        error={readMost(atOnce) === null ? `Enter a whole number from 1 to ${MOST_AT_ONCE.toLocaleString("en")}.` : ""}
      />
      <TextInput
        label="Maximum runs per minute (optional)"
        value={perMinute}
        onChange={setPerMinute}
        inputMode="numeric"
        error={
          readRate(perMinute) === null ? `Enter a whole number from 1 to ${MOST_PER_MINUTE.toLocaleString("en")}.` : ""
        }
      />
    </>
  );
}

function midnight(at: number): string {
  const day = new Date(at);
  day.setHours(0, 0, 0, 0);
  return wall(day).slice(0, 16);
}

const errorOf = (reading: Reading) => (reading.ok ? "" : reading.error);

function rangeOf(scheduleId: string, from: Reading, until: Reading) {
  if (!from.ok || !until.ok) return null;
  const [start, end] = [String(from.value), String(until.value)];
  return Date.parse(start) < Date.parse(end) ? { scheduleId, start, end } : null;
}
