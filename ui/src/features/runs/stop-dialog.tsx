import { useMutation, useQueryClient } from "@tanstack/react-query";
import { stopRun } from "../../api/flow-runs";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";

export interface Stoppable {
  id: string;
  name: string;
  flow: { name: string };
  state: { type: string };
}

/** "Stop run / Keep running": never "Cancel / Cancel". */
export function StopDialog({ run, onClose }: { run: Stoppable | null; onClose: () => void }) {
  const client = useQueryClient();
  const stop = useMutation({
    mutationFn: ({ target, reason }: { target: Stoppable; reason: string }) => stopRun(target.id, reason),
    onSuccess: async (_, { target }) => {
      toast(`Stopping ${target.flow.name} / ${target.name}.`);
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
    <ConfirmDialog
      title={run ? `Stop ${run.flow.name} / ${run.name}?` : ""}
      isOpen={run !== null}
      onClose={close}
      keep={started ? "Keep running" : "Keep run"}
      confirm="Stop run"
      isDanger
      isPending={stop.isPending}
      error={stop.error}
      onConfirm={(reason) => run && stop.mutate({ target: run, reason })}
    >
      <p className="muted">
        {started
          ? "Its process is asked to stop, and is killed after the grace period. What it has finished stays recorded."
          : "It has not started and will not start."}
      </p>
    </ConfirmDialog>
  );
}
