import { useMutation, useQueryClient } from "@tanstack/react-query";
import { savedViewKeys } from "../../api/keys";
import { type Keyed, newKey } from "../../lib/keys";

/** A change to saved views, each time under a new key: one that was undone can be made again. */
export function useViewChange<Sent extends Keyed<object>>(send: (content: Sent) => Promise<void>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (content: Omit<Sent, keyof Keyed<object>>) =>
      send({ ...content, idempotencyKey: newKey() } as unknown as Sent),
    onSuccess: () => client.invalidateQueries({ queryKey: savedViewKeys.list }),
  });
}
