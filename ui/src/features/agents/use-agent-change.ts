import { useMutation, useQueryClient } from "@tanstack/react-query";
import { drainAgent, forgetAgent, resumeAgent } from "../../api/agents";
import { counted } from "../../lib/counted";
import { newKey } from "../../lib/keys";
import { toast, toastError } from "../../ui/toasts";

export interface Named {
  id: string;
  name: string;
}

/** Drains, resumes and forgets an agent, and says what follows from it. */
export function useAgentChange(onForgotten: () => void = () => {}) {
  const client = useQueryClient();
  const options = (told: string) => {
    toast(told);
    return client.invalidateQueries();
  };
  const drain = useMutation({
    mutationFn: ({ id }: Named) => drainAgent({ agentId: id, idempotencyKey: newKey() }),
    onSuccess: ({ name, running }) =>
      options(
        `${name} gets no more runs${running > 0 ? `; ${counted(running, "run")} still to end` : ", and has none left"}.`,
      ),
    onError: toastError,
  });
  const resume = useMutation({
    mutationFn: ({ id }: Named) => resumeAgent({ agentId: id, idempotencyKey: newKey() }),
    onSuccess: ({ name }) => options(`${name} gets runs again.`),
    onError: toastError,
  });
  const forget = useMutation({
    mutationFn: ({ id }: Named) => forgetAgent({ agentId: id, idempotencyKey: newKey() }),
    onSuccess: (_nothing, { name }) => {
      onForgotten();
      return options(`${name} is forgotten.`);
    },
  });
  return { drain, resume, forget };
}
