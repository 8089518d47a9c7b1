import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Switch } from "react-aria-components";
import { type Schedule, setScheduleActive } from "../api/flows";
import { Instant } from "../ui/instant";
import { Empty } from "../ui/notice";
import { toast, toastError } from "../ui/toasts";
import { useWriting } from "./permissions";

export function ScheduleList({ schedules }: { schedules: readonly Schedule[] }) {
  if (schedules.length === 0) return <Empty title="No schedules.">This flow runs when somebody starts it.</Empty>;
  return (
    <ul className="schedules">
      {schedules.map((schedule) => (
        <ScheduleItem key={schedule.id} schedule={schedule} />
      ))}
    </ul>
  );
}

function ScheduleItem({ schedule }: { schedule: Schedule }) {
  const client = useQueryClient();
  const writing = useWriting();
  const set = useMutation({
    mutationFn: (active: boolean) => setScheduleActive(schedule.id, active),
    onSuccess: (_, active) => {
      toast(
        active ? `${schedule.description}: goes on.` : `${schedule.description}: paused; its future runs are gone.`,
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
        isDisabled={!writing.allowed || set.isPending}
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
            schedule.nextTimes.map((at) => (
              <span key={at}>
                <Instant at={at} />
              </span>
            ))
          ) : (
            <span>Paused: it starts no runs.</span>
          )}
        </div>
        {Object.keys(schedule.parameters ?? {}).length > 0 && (
          <div className="mono muted">{JSON.stringify(schedule.parameters)}</div>
        )}
      </div>
    </li>
  );
}
