/** Who started a run: a person, a schedule, or another run, to which this is a link. */

import { Link } from "@tanstack/react-router";
import { byOf } from "../../lib/why";

interface Started {
  trigger: string;
  createdBy: string;
  parent: { id: string; name: string } | null;
}

export function StartedBy({ run }: { run: Started }) {
  if (!run.parent) return byOf(run);
  return (
    <>
      run{" "}
      <Link to="/runs/$runId" params={{ runId: run.parent.id }} className="above link" preload={false}>
        {run.parent.name}
      </Link>
    </>
  );
}
