import { useMutation, useQueryClient } from "@tanstack/react-query";
import { peopleKeys } from "../../api/keys";
import { editUser, type User } from "../../api/people";
import { newKey } from "../../lib/keys";
import { toast, toastError } from "../../ui/toasts";

/** Lets a disabled user sign in again. */
export function useEnable() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (user: User) => editUser(user.id, { disabled: false, idempotencyKey: newKey() }),
    onSuccess: (user) => {
      toast(`${user.username} may sign in again.`);
      return client.invalidateQueries({ queryKey: peopleKeys.all });
    },
    onError: toastError,
  });
}
