/** Deleting a user: says first what goes and what stays, and asks for the name. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { deleteUser, sessionsQuery, tokensQuery, type User } from "../../api/people";
import type { Keyed } from "../../lib/keys";
import { goesWith } from "../../lib/people";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";
import { useChange } from "./use-change";

export function DeleteUserDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const sessions = useQuery(sessionsQuery(user.id));
  const tokens = useQuery(tokensQuery);
  const theirs = tokens.data?.filter((token) => token.username === user.username);
  const deletion = useChange(
    (content: Keyed<object>) => deleteUser(user.id, content),
    () => {
      toast(`Deleted ${user.username}.`);
      onClose();
    },
  );
  return (
    <ConfirmDialog
      title={`Delete ${user.username} permanently?`}
      isOpen
      onClose={onClose}
      keep="Keep user"
      confirm="Delete user"
      isDanger
      isPending={deletion.isPending}
      isDisabled={!sessions.data || !theirs || typed !== user.username}
      error={deletion.error ?? sessions.error ?? tokens.error}
      hasReason={false}
      onConfirm={() => deletion.mutate({})}
    >
      {sessions.data && theirs ? (
        <>
          <p>This deletes, for good:</p>
          <ul aria-label="What is deleted" className="goes">
            {goesWith(sessions.data.length, theirs).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </>
      ) : (
        <p className="muted">Counting…</p>
      )}
      <p className="muted">
        What they did stays in the histories under their name.
        {user.role === "admin" &&
          theirs?.some((token) => token.scope === "agent") &&
          " If the embedded agent's token is among these, it passes to another administrator instead."}
      </p>
      <TextInput label={`Type ${user.username} to confirm`} value={typed} onChange={setTyped} autoComplete="off" />
    </ConfirmDialog>
  );
}
