import { useNavigate, useSearch } from "@tanstack/react-router";
import { Button } from "react-aria-components";
import { signOut, useSession } from "../api/session";
import { DoorPage } from "../features/session/door";
import { PasswordForm } from "../features/session/password-form";
import { safePath } from "../lib/paths";
import { usePageTitle } from "../ui/page-title";
import { toastError } from "../ui/toasts";

/** In the place of every other page, until a password that somebody else set has been changed. */
export function PasswordPage() {
  usePageTitle("Choose a new password");
  const { me } = useSession();
  const { next } = useSearch({ from: "/password" });
  const navigate = useNavigate();
  return (
    <DoorPage
      title="Choose a new password"
      subtitle={`The password of ${me?.username ?? "this user"} was set by someone else. Choose your own to continue.`}
    >
      <PasswordForm onDone={() => void navigate({ href: safePath(next), replace: true })}>
        <Button className="button" onPress={() => signOut().catch(toastError)}>
          Sign out
        </Button>
      </PasswordForm>
    </DoorPage>
  );
}
