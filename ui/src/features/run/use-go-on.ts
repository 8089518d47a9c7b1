import { useMutation, useQueryClient } from "@tanstack/react-query";
import { continuationOf, goOn, type Run } from "../../api/flow-runs";
import { isSurprising } from "../../lib/continuation";
import { newKey } from "../../lib/keys";
import { type NextStep, nextStepOf } from "../../lib/states";
import { toast, toastError } from "../../ui/toasts";
import { useWriting } from "../session/permissions";

const WORDS = {
  restart: { label: "Restart from failed", done: "Restarting" },
  resume: { label: "Resume", done: "Resuming" },
};

export interface GoOn {
  label: string;
  isMain: boolean;
  isPending: boolean;
  run: () => void;
}

/** How a person can continue the run now: restart it, resume it, or not at all. If tasks would run again that had succeeded, or it would be
 * refused, nothing is done, and `onAsk` is called to show why. */
export function useGoOn(run: Run, onAsk: (step: NextStep) => void): GoOn | null {
  const client = useQueryClient();
  const writing = useWriting();
  const step = nextStepOf(run);
  const change = useMutation({
    mutationFn: async (request: { step: NextStep; key: string }) => {
      if (isSurprising(await continuationOf(run.id, {}))) return false;
      await goOn(run.id, request.step, request.key);
      return true;
    },
    onSuccess: async (isDone, { step: done }) => {
      if (!isDone) {
        onAsk(done);
        return;
      }
      toast(`${WORDS[done].done} ${run.flow.name} / ${run.name}.`);
      await client.invalidateQueries();
    },
    onError: toastError,
  });
  if (step === null) return null;
  return {
    label: WORDS[step].label,
    isMain: step === "resume" || run.state.type === "FAILED",
    isPending: change.isPending,
    run: () => {
      if (writing.allowed && !change.isPending) change.mutate({ step, key: newKey() });
    },
  };
}
