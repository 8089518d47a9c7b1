import { Link, useLocation, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useLayoutEffect, useState } from "react";
import { Button } from "react-aria-components";
import { setUp, useSession } from "../api/session";
import { DoorPage } from "../features/session/door";
import { isLongEnough, NewPasswordInput } from "../features/session/new-password-input";
import { usePageTitle } from "../ui/page-title";
import { TextInput } from "../ui/text-input";

export function SetupPage() {
  usePageTitle("Set up");
  const { setupRequired } = useSession();
  const token = useLinkToken();
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
    <DoorPage title="Set up" subtitle="Create the first administrator. The link works only once.">
      <SetupForm key={token} linkToken={token} />
    </DoorPage>
  );
}

/** The token of the link, which leaves the address at once, and so the history: in the fragment of new links, in the query of old ones. */
function useLinkToken(): string {
  const navigate = useNavigate();
  const { hash, searchStr } = useLocation();
  const [token, setToken] = useState("");
  const found = new URLSearchParams(hash).get("token") ?? new URLSearchParams(searchStr).get("token");
  useLayoutEffect(() => {
    if (!found) return;
    setToken(found);
    void navigate({ to: "/setup", search: {}, hash: "", replace: true });
  }, [found, navigate]);
  return token;
}

/** Of a whole link, or of the token itself. */
function tokenIn(text: string): string {
  return text.trim().split("token=").at(-1) ?? "";
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
      await setUp(tokenIn(token), username.trim(), password);
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
          label="Setup link"
          value={token}
          onChange={setToken}
          help="The link that the appliance printed at its start, or its part after token="
          autoFocus
          isRequired
        />
      )}
      <TextInput label="User name" value={username} onChange={setUsername} autoComplete="username" isRequired />
      <NewPasswordInput label="Password" value={password} onChange={setPassword} autoFocus={Boolean(linkToken)} />
      <Button type="submit" className="button primary large">
        {busy ? "Creating…" : "Create administrator"}
      </Button>
    </form>
  );
}
