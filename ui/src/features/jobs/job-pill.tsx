import type { JobProgress } from "../../api/jobs";
import { jobState } from "../../lib/jobs";
import { lookOf } from "../../lib/states";
import { StatePill } from "../../ui/state-pill";

export function JobPill({ job }: { job: Pick<JobProgress, "state"> }) {
  const { name, family, word } = jobState(job.state);
  return <StatePill look={{ ...lookOf({ type: "", name }), family }} text={word} />;
}
