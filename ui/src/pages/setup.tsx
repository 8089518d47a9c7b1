import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { Button } from "react-aria-components";
import { setUp, useSession } from "../api/session";
import { DoorPage } from "../features/session/door";
import { isLongEnough, NewPasswordInput } from "../features/session/new-password-input";
import { usePageTitle } from "../ui/page-title";
import { TextInput } from "../ui/text-input";

export function SetupPage() {
  usePageTitle("Set up");
  const { setupRequired } = useSession();
  const { token } = useSearch({ from: "/setup" });
  if (!setupRequired) {
    return (
      <DoorPage
        title="Already set up"
        subtitle="This appliance already has an administrator; the setup link works only once."
      >
        <Link to="/login" className="button primary large">
          Sign in
        </Link>
      </DoorPage>
    );
  }
  return (
    <DoorPage title="Set up" subtitle="Create the first administrator. The link from the terminal works only once.">
      <SetupForm linkToken={token ?? ""} />
    </DoorPage>
  );
}

function SetupForm({ linkToken }: { linkToken: string }) {
  const navigate = useNavigate();
  const [token, setToken] = useState(linkToken);
  const [username, setUsername] = useState("admin");
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || !isLongEnough(password)) return;
    setBusy(true);
    setError("");
    try {
      await setUp(token.trim(), username.trim(), password);
      await navigate({ to: "/runs", replace: true });
    } catch (problem) {
      setError((problem as Error).message);
      setBusy(false);
    }
  };

  return (
    <form className="form" onSubmit={submit}>
      {error && (
        <p className="form-error" role="alert">
          {error}
        </p>
      )}
      {!linkToken && (
        <TextInput
          label="Setup token"
          value={token}
          onChange={setToken}
          help="Printed when the appliance first started."
          isRequired
        />
      )}
      <TextInput label="User name" value={username} onChange={setUsername} autoComplete="username" isRequired />
      <NewPasswordInput label="Password" value={password} onChange={setPassword} autoFocus />
      <Button type="submit" className="button primary large">
        {busy ? "Creating…" : "Create administrator"}
      </Button>
    </form>
  );
}
