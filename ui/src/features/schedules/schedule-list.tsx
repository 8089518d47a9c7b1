import { useMutation, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Button, Switch } from "react-aria-components";
import type { Schedule } from "../../api/flows";
import { setScheduleActive } from "../../api/schedules";
import { printJson } from "../../lib/json";
import { editInWords } from "../../lib/schedule-form";
import { policyInWords } from "../../lib/schedules";
import { Instant } from "../../ui/instant";
import { Empty } from "../../ui/notice";
import { toast, toastError } from "../../ui/toasts";
import { useMay, useWriting } from "../session/permissions";
import "./schedules.css";

const EditDialog = lazy(() => import("./edit-dialog"));
const DeleteDialog = lazy(() => import("./delete-dialog"));
const NextDialog = lazy(() => import("./next-dialog"));
const SkipsDialog = lazy(() => import("./skips-dialog"));
const BackfillDialog = lazy(() => import("./backfill-dialog"));

/** Due times in the list; the others are in a dialog of their own, with notes. */
const SHOWN = 3;

interface ItemProps {
  flowId: string;
  schedule: Schedule;
}

export function ScheduleList({ flowId, schedules }: { flowId: string; schedules: readonly Schedule[] }) {
  if (schedules.length === 0) return <Empty title="No schedules.">This flow runs only when someone starts it.</Empty>;
  return (
    <ul className="schedules">
      {schedules.map((schedule) => (
        <ScheduleItem key={schedule.id} flowId={flowId} schedule={schedule} />
      ))}
    </ul>
  );
}

function ScheduleItem({ flowId, schedule }: ItemProps) {
  const client = useQueryClient();
  const writing = useWriting();
  const may = useMay()("schedules:edit");
  const set = useMutation({
    mutationFn: (active: boolean) => setScheduleActive(schedule.id, active),
    onSuccess: (_, active) => {
      toast(
        active ? `${schedule.description}: resumed.` : `${schedule.description}: paused; its future runs were removed.`,
      );
      return client.invalidateQueries();
    },
    onError: toastError,
  });
  const active = set.isPending ? set.variables : schedule.active;
  return (
    <li>
      <Switch
        className="switch"
        isSelected={active}
        isDisabled={!may || !writing.allowed || set.isPending}
        onChange={(on) => set.mutate(on)}
        aria-label={`${schedule.description} is active`}
      >
        <span className="switch-track" aria-hidden="true">
          <span className="switch-knob" />
        </span>
      </Switch>
      <div>
        <div className="strong">
          {schedule.description} <span className="muted normal">{schedule.timezone}</span>
        </div>
        <div className="muted facts">
          {active ? (
            schedule.nextTimes.slice(0, SHOWN).map((at) => (
              <span key={at}>
                <Instant at={at} />
              </span>
            ))
          ) : (
            <span>Paused: starts no runs.</span>
          )}
        </div>
        {Object.keys(schedule.parameters ?? {}).length > 0 && (
          <div className="mono muted">{printJson(schedule.parameters)}</div>
        )}
        {schedule.labels.length > 0 && <div className="muted policy">Labels: {schedule.labels.join(", ")}</div>}
        <div className="muted policy">{policyInWords(schedule)}</div>
        {schedule.edits.length > 0 && (
          <div className="muted policy">Changed by an operator: {schedule.edits.map(editInWords).join(". ")}.</div>
        )}
        <ScheduleActions flowId={flowId} schedule={schedule} />
      </div>
    </li>
  );
}

function ScheduleActions({ flowId, schedule }: ItemProps) {
  const [open, setOpen] = useState<"edit" | "next" | "skips" | "backfill" | "delete" | null>(null);
  const may = useMay();
  const writing = useWriting();
  const close = () => setOpen(null);
  const what = schedule.description;
  return (
    <div className="row schedule-actions">
      {may("schedules:edit") && (
        <Button
          className="button small"
          isDisabled={!writing.allowed}
          onPress={() => setOpen("edit")}
          aria-label={`Edit ${what}`}
        >
          Edit…
        </Button>
      )}
      <Button className="button small" onPress={() => setOpen("next")} aria-label={`Next due times of ${what}`}>
        Next 10…
      </Button>
      <Button className="button small" onPress={() => setOpen("skips")} aria-label={`Missed due times of ${what}`}>
        Missed…
      </Button>
      {may("schedules:backfill") && (
        <Button
          className="button small"
          isDisabled={!writing.allowed}
          onPress={() => setOpen("backfill")}
          aria-label={`Backfill ${what}`}
        >
          Backfill…
        </Button>
      )}
      {may("schedules:edit") && (
        <Button
          className="button small"
          isDisabled={!writing.allowed}
          onPress={() => setOpen("delete")}
          aria-label={`Delete ${what}`}
        >
          Delete…
        </Button>
      )}
      <Suspense>
        {open === "delete" && <DeleteDialog schedule={schedule} onClose={close} />}
        {open === "edit" && <EditDialog flowId={flowId} schedule={schedule} onClose={close} />}
        {open === "next" && <NextDialog schedule={schedule} onClose={close} />}
        {open === "skips" && <SkipsDialog schedule={schedule} onClose={close} />}
        {open === "backfill" && <BackfillDialog schedule={schedule} onClose={close} />}
      </Suspense>
    </div>
  );
}
