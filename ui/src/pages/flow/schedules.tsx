import { useFlow } from "../../features/flow/use-flow";
import { AddSchedule } from "../../features/schedules/add-schedule";
import { ScheduleList } from "../../features/schedules/schedule-list";

export function FlowSchedules() {
  const flow = useFlow();
  return (
    flow && (
      <section className="card" aria-labelledby="schedules">
        <div className="card-head">
          <h2 id="schedules">Schedules</h2>
          <AddSchedule flow={flow} />
        </div>
        <ScheduleList flowId={flow.id} schedules={flow.schedules} />
      </section>
    )
  );
}
