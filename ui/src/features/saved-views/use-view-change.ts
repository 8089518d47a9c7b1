import { useMutation, useQueryClient } from "@tanstack/react-query";
import { savedViewKeys } from "../../api/keys";

/** A change to saved views, after which their list is asked for again. */
export function useViewChange<Sent>(send: (content: Sent) => Promise<void>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: send,
    onSuccess: () => client.invalidateQueries({ queryKey: savedViewKeys.list }),
  });
}
