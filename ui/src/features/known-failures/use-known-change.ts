import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Keyed, keyPerContent } from "../../lib/keys";

/** A change to known failures, under one key per content; afterwards what is on screen is fetched again. */
export function useKnownChange<Sent extends Keyed<object>>(send: (content: Sent) => Promise<void>, onDone: () => void) {
  const client = useQueryClient();
  const [withKey] = useState(keyPerContent);
  return useMutation({
    mutationFn: (content: Omit<Sent, keyof Keyed<object>>) => send(withKey(content) as unknown as Sent),
    onSuccess: () => {
      onDone();
      return client.invalidateQueries();
    },
  });
}
