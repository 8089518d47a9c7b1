/** The confirmation of a bulk action: which runs, what it does, and which stay as they are. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { Count } from "../../api/flow-runs";
import { bulk, isOver, type JobProgress } from "../../api/jobs";
import { type MarkedState, runsIn } from "../../lib/bulk";
import { countsInWords } from "../../lib/jobs";
import { keyPerContent } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";
import { MarkedStateField } from "../runs/marked-state-field";
import type { Target } from "./targets";

interface Props {
  target: Target;
  /** The whole selection, including runs that it doesn't apply to. */
  selected: Count;
  onClose: () => void;
  onDone: () => void;
}

export function BulkDialog({ target, selected, onClose, onDone }: Props) {
  const { kind, count, runs, filter } = target;
  const [state, setState] = useState<MarkedState>("Success");
  const [withKey] = useState(keyPerContent);
  const client = useQueryClient();
  const navigate = useNavigate();
  const act = useMutation({
    mutationFn: (reason: string) =>
      bulk(
        withKey({
          action: kind.action,
          ...(filter ? { filter } : { ids: runs?.map((run) => run.id) ?? [] }),
          ...(kind.action === "mark" && { state }),
          reason,
        }),
      ),
    onSuccess: async (job) => {
      onClose();
      onDone();
      if (isOver(job)) {
        toast(<Outcome job={job} done={kind.done(runsIn(job.done))} />);
        await client.invalidateQueries();
      } else await navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });
    },
  });
  const left = selected.total - count.total;
  return (
    <ConfirmDialog
      title={kind.title(runsIn(count.total, count.totalCapped))}
      isOpen
      onClose={onClose}
      keep="Keep as is"
      confirm={kind.confirm}
      isDanger={kind.action === "delete" || kind.action === "cancel"}
      isPending={act.isPending}
      error={act.error}
      onConfirm={(reason) => act.mutate(reason)}
    >
      <p className="muted">{kind.explanation}</p>
      {runs && <Names runs={runs} />}
      {left > 0 && !count.totalCapped && (
        <p className="muted">
          {runsIn(left)} in the selection can't be changed and {left === 1 ? "stays as it is" : "stay as they are"}.
        </p>
      )}
      {kind.action === "mark" && <MarkedStateField value={state} onChange={setState} />}
    </ConfirmDialog>
  );
}

const NAMED = 5;

function Names({ runs }: { runs: readonly { id: string; name: string; flow: { name: string } }[] }) {
  const rest = runs.length - NAMED;
  return (
    <ul className="bulk-names">
      {runs.slice(0, NAMED).map((run) => (
        <li key={run.id}>
          <b>{run.flow.name}</b> {run.name}
        </li>
      ))}
      {rest > 0 && <li className="muted">and {rest.toLocaleString("en")} more</li>}
    </ul>
  );
}

function Outcome({ job, done }: { job: JobProgress; done: string }) {
  if (job.state === "done" && job.refused === 0) return <>{done}.</>;
  return (
    <>
      {countsInWords(job)}.{" "}
      <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="link">
        See why
      </Link>
    </>
  );
}
