import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { stopRun } from "../api/flow-runs";
import { Dialog } from "../ui/dialog";
import { TextInput } from "../ui/text-input";
import { toast } from "../ui/toasts";

export interface Stoppable {
  id: string;
  name: string;
  flow: { name: string };
  state: { type: string };
}

/** "Stop run / Keep running": never "Cancel / Cancel". */
export function StopDialog({ run, onClose }: { run: Stoppable | null; onClose: () => void }) {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const stop = useMutation({
    mutationFn: (wanted: Stoppable) => stopRun(wanted.id, reason.trim()),
    onSuccess: async (_, wanted) => {
      toast(`Stopping ${wanted.flow.name} / ${wanted.name}.`);
      setReason("");
      onClose();
      await client.invalidateQueries();
    },
  });
  const close = () => {
    stop.reset();
    onClose();
  };
  const started = run?.state.type === "RUNNING" || run?.state.type === "PENDING";
  return (
    <Dialog
      title={run ? `Stop ${run.flow.name} / ${run.name}?` : ""}
      isOpen={run !== null}
      onClose={close}
      role="alertdialog"
    >
      {run && (
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            if (!stop.isPending) stop.mutate(run);
          }}
        >
          <p className="muted">
            {started
              ? "Its process is asked to end, and is ended if it doesn't within the grace period. What it has finished stays recorded."
              : "It has not started yet and will not start."}
          </p>
          <TextInput
            label="Reason (optional)"
            value={reason}
            onChange={setReason}
            help="Shown in the state history."
            autoFocus
          />
          {stop.error && (
            <p className="form-error" role="alert">
              {stop.error.message}
            </p>
          )}
          <div className="row end">
            <Button className="button" onPress={close}>
              {started ? "Keep running" : "Keep run"}
            </Button>
            <Button type="submit" className="button danger" isPending={stop.isPending}>
              {stop.isPending ? "Stopping…" : "Stop run"}
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
