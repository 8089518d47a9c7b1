import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { peopleKeys } from "../../api/keys";
import { type Keyed, keyPerContent } from "../../lib/keys";

/** A change to people or tokens, under one key per content; afterwards the lists are fetched again. What it sent and got may be
 * secret, so it is kept no longer than it is shown. */
export function useChange<Sent extends Keyed<object>, Answer>(
  send: (content: Sent) => Promise<Answer>,
  onDone: (answer: Answer) => void = () => {},
) {
  const client = useQueryClient();
  const [withKey] = useState(keyPerContent);
  return useMutation({
    mutationFn: (content: Omit<Sent, keyof Keyed<object>>) => send(withKey(content) as unknown as Sent),
    gcTime: 0,
    onSuccess: (answer) => {
      onDone(answer);
      void client.invalidateQueries({ queryKey: peopleKeys.all });
    },
  });
}
