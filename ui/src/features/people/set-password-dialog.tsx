import { useState } from "react";
import { setPassword, type User } from "../../api/people";
import type { Keyed } from "../../lib/keys";
import { toast } from "../../ui/toasts";
import { isLongEnough, NewPasswordInput } from "../session/new-password-input";
import { FormDialog } from "./form-dialog";
import { MustChange } from "./must-change";
import { useChange } from "./use-change";

/** Sets somebody else's password. */
export function SetPasswordDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const [password, setText] = useState("");
  const [mustChange, setMustChange] = useState(true);
  const [isSubmitted, setSubmitted] = useState(false);
  const set = useChange(
    (content: Keyed<{ password: string; must_change: boolean }>) => setPassword(user.id, content),
    () => {
      toast(`Password of ${user.username} set. They are signed out everywhere.`);
      onClose();
    },
  );
  return (
    <FormDialog
      title={`Set password of ${user.username}`}
      onClose={onClose}
      keep="Keep password"
      confirm="Set password"
      isPending={set.isPending}
      error={set.error}
      onSubmit={() => {
        setSubmitted(true);
        if (isLongEnough(password)) set.mutate({ password, must_change: mustChange });
      }}
    >
      <NewPasswordInput
        label="New password"
        value={password}
        onChange={setText}
        isMissing={isSubmitted && !password}
        autoFocus
      />
      <MustChange when="next" isOn={mustChange} onChange={setMustChange} />
      <p className="muted">Signs {user.username} out of every browser. Their tokens keep working.</p>
    </FormDialog>
  );
}
