/** Deleting a flow or a project: says first what goes and what stays, and asks for its name. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { type Deletion, deletionQuery, remove, type Target } from "../../api/life-cycle";
import { atLeast, goes } from "../../lib/deletion";
import { newKey } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";

export function DeleteTreeDialog({ target, onClose }: { target: Target; onClose: () => void }) {
  const [key] = useState(newKey);
  const [typed, setTyped] = useState("");
  const [cancelRuns, setCancelRuns] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const preview = useQuery(deletionQuery(target));
  const deletion = useMutation({
    mutationFn: (reason: string) => remove(target, { cancelRuns, reason, idempotencyKey: key }),
    onSuccess: async (job) => {
      if (job.state === "done") {
        toast(`Deleted ${target.name}.`);
        await navigate({ to: target.noun === "flow" ? "/flows" : "/projects" });
      } else await navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });
      await client.invalidateQueries();
    },
  });
  const isBlocked = Boolean(preview.data?.liveRuns) && !cancelRuns;
  return (
    <ConfirmDialog
      title={`Delete ${target.noun} ${target.name} permanently?`}
      isOpen
      onClose={onClose}
      keep={`Keep ${target.noun}`}
      confirm={`Delete ${target.noun}`}
      isDanger
      isPending={deletion.isPending}
      isDisabled={!preview.data || typed !== target.name || isBlocked}
      error={deletion.error ?? preview.error}
      reasonHelp="Recorded with the job."
      onConfirm={(reason) => deletion.mutate(reason)}
    >
      {preview.data ? <Numbers deletion={preview.data} noun={target.noun} /> : <p className="muted">Counting…</p>}
      {preview.data && preview.data.liveRuns > 0 && (
        <label className="row">
          <input type="checkbox" checked={cancelRuns} onChange={(event) => setCancelRuns(event.target.checked)} />
          Cancel {atLeast(preview.data.liveRuns, "run")} in progress first
        </label>
      )}
      <TextInput label={`Type ${target.name} to confirm`} value={typed} onChange={setTyped} />
    </ConfirmDialog>
  );
}

function Numbers({ deletion, noun }: { deletion: Deletion; noun: Target["noun"] }) {
  return (
    <>
      <p>This deletes, for good:</p>
      <ul aria-label="What is deleted">
        {goes(deletion, noun).map((line) => (
          <li key={line} className="number">
            {line}
          </li>
        ))}
      </ul>
      <p className="muted">
        {deletion.results > 0
          ? `Not deleted here: ${atLeast(deletion.results, "stored result")}. Agents remove those in their folders within hours; others stay.`
          : "The code of the flow is not deleted."}
      </p>
    </>
  );
}
