import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { Button } from "react-aria-components";
import { signIn, useSession } from "../api/session";
import { DoorPage } from "../features/session/door";
import { safePath } from "../lib/paths";
import { usePageTitle } from "../ui/page-title";
import { TextInput } from "../ui/text-input";

export function LoginPage() {
  usePageTitle("Sign in");
  const { siteName } = useSession();
  const { next } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError("");
    try {
      await signIn(username.trim(), password);
      await navigate({ href: safePath(next), replace: true });
    } catch (problem) {
      setError((problem as Error).message);
      setBusy(false);
    }
  };

  return (
    <DoorPage title="Sign in" subtitle={siteName}>
      <form className="form" onSubmit={submit}>
        {error && (
          <p className="form-error" role="alert">
            {error}
          </p>
        )}
        <TextInput
          label="User name"
          value={username}
          onChange={setUsername}
          autoComplete="username"
          autoFocus
          isRequired
        />
        <TextInput
          label="Password"
          type="password"
          value={password}
          onChange={setPassword}
          autoComplete="current-password"
          isRequired
        />
        <Button type="submit" className="button primary large">
          {busy ? "Signing in…" : "Sign in"}
        </Button>
      </form>
    </DoorPage>
  );
}
