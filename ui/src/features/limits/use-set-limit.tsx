import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import { type Limit, setLimit } from "../../api/limits";
import { counted } from "../../lib/counted";
import { kindWord } from "../../lib/limits";
import { toast, toastError } from "../../ui/toasts";

/** Changes the slots of an existing limit, and offers to undo it for a moment. */
export function useSetLimit() {
  const client = useQueryClient();
  const set = useMutation({
    mutationFn: ({ limit, slots }: { limit: Limit; slots: number }) => setLimit({ ...pick(limit), slots }),
    onSuccess: (_, { limit, slots }) => {
      toast(
        <>
          {kindWord(limit.kind)} {limit.name}: {limit.slots} → {counted(slots, nounOf(limit))}.{" "}
          <Button className="button small" onPress={() => back.mutate(limit)}>
            Undo
          </Button>
        </>,
      );
      return client.invalidateQueries();
    },
    onError: toastError,
  });
  const back = useMutation({
    mutationFn: (limit: Limit) => setLimit(pick(limit)),
    onSuccess: (_, limit) => {
      toast(`${kindWord(limit.kind)} ${limit.name} has ${counted(limit.slots, nounOf(limit))} again.`);
      return client.invalidateQueries();
    },
    onError: toastError,
  });
  return set;
}

const pick = ({ kind, name, slots, per }: Limit) => ({ kind, name, slots, per });

const nounOf = (limit: Limit) => (limit.per === null ? "slot" : "start");
