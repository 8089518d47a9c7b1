import { useMutation, useQueryClient } from "@tanstack/react-query";
import { automationKeys } from "../../api/keys";

/** A change to automations, after which lists and pages of automations are asked for again. */
export function useAutomationChange<Sent, Result>(send: (content: Sent) => Promise<Result>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: send,
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: automationKeys.list }),
        client.invalidateQueries({ queryKey: automationKeys.all }),
      ]),
  });
}
