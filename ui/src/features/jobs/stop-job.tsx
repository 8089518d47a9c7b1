import { useMutation, useQueryClient } from "@tanstack/react-query";
import { cancelJob, type Job } from "../../api/jobs";
import { jobKeys } from "../../api/keys";
import { countsInWords, jobTitle } from "../../lib/jobs";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";

export function StopJob({ job, isOpen, onClose }: { job: Job; isOpen: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const stop = useMutation({
    mutationFn: (reason: string) => cancelJob(job.id, reason),
    onSuccess: (stopped) => {
      toast(`Stopped: ${countsInWords(stopped)}.`);
      onClose();
      return client.invalidateQueries({ queryKey: jobKeys.one(job.id) });
    },
  });
  const close = () => {
    stop.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      title={`Stop “${jobTitle(job)}”?`}
      isOpen={isOpen}
      onClose={close}
      keep="Keep running"
      confirm="Stop job"
      isDanger
      isPending={stop.isPending}
      error={stop.error}
      reasonHelp="Shown on this page."
      onConfirm={(reason) => stop.mutate(reason)}
    >
      <p className="muted">What is done stays done; the rest is not changed.</p>
    </ConfirmDialog>
  );
}
