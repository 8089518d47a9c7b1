import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { ApiError } from "../../api/http";
import { changePassword, useSession } from "../../api/session";
import { keyPerContent } from "../../lib/keys";
import { BusyButton } from "../../ui/busy-button";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";
import { isLongEnough, NewPasswordInput } from "./new-password-input";

const DONE = "Password changed. You are signed out everywhere else.";

/** Changes one's own password. Children are buttons beside the one that does it. */
export function PasswordForm({ onDone, children }: { onDone: () => void; children?: ReactNode }) {
  const { me } = useSession();
  const form = useRef<HTMLFormElement>(null);
  const [current, setCurrent] = useState("");
  const [chosen, setChosen] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const [withKey] = useState(keyPerContent);
  const isWrong = error instanceof ApiError && error.code === "wrong_password";

  const focus = (name: string) => (form.current?.elements.namedItem(name) as HTMLInputElement | null)?.focus();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    if (!current || !isLongEnough(chosen)) {
      focus(current ? "new" : "current");
      return;
    }
    setBusy(true);
    setError(null);
    try {
      await changePassword(withKey({ current, new: chosen }));
      toast(DONE);
      onDone();
    } catch (problem) {
      setError(problem as Error);
      setBusy(false);
      focus(problem instanceof ApiError && problem.code === "wrong_password" ? "current" : "new");
    }
  };

  return (
    <form ref={form} className="form" onSubmit={submit} noValidate>
      {error && !isWrong && (
        <p className="form-error" role="alert">
          {error.message}
        </p>
      )}
      <input type="text" name="username" autoComplete="username" value={me?.username ?? ""} readOnly hidden />
      <TextInput
        label="Current password"
        name="current"
        type="password"
        value={current}
        onChange={(value) => {
          setCurrent(value);
          if (isWrong) setError(null);
        }}
        error={isWrong ? error.message : undefined}
        autoComplete="current-password"
        autoFocus
        isRequired
      />
      <NewPasswordInput label="New password" name="new" value={chosen} onChange={setChosen} />
      <div className="row end">
        {children}
        <BusyButton type="submit" className="button primary" isBusy={busy}>
          Change password
        </BusyButton>
      </div>
    </form>
  );
}
