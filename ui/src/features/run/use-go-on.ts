import { useMutation, useQueryClient } from "@tanstack/react-query";
import { goOn, type Run } from "../../api/flow-runs";
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

/** How a person can continue the run now: restart it, resume it, or not at all. */
export function useGoOn(run: Run): GoOn | null {
  const client = useQueryClient();
  const writing = useWriting();
  const step = nextStepOf(run);
  const change = useMutation({
    mutationFn: (request: { step: NextStep; key: string }) => goOn(run.id, request.step, request.key),
    onSuccess: async (_, { step: done }) => {
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
