import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { secretKeys } from "../../api/keys";
import { type Keyed, keyPerContent } from "../../lib/keys";

/** A change to secrets, under one key per content. What was sent is forgotten as soon as the dialog is closed. */
export function useSecretChange<Sent extends Keyed<object>, Answer>(
  send: (content: Sent) => Promise<Answer>,
  onDone: (answer: Answer) => void,
) {
  const client = useQueryClient();
  const [withKey] = useState(keyPerContent);
  return useMutation({
    mutationFn: (content: Omit<Sent, keyof Keyed<object>>) => send(withKey(content) as unknown as Sent),
    gcTime: 0,
    onSuccess: (answer) => {
      onDone(answer);
      void client.invalidateQueries({ queryKey: secretKeys.list });
    },
  });
}
