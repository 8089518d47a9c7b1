import type { Token, User } from "../../api/people";
import { useSession } from "../../api/session";
import { PasswordDialog } from "../session/password-dialog";
import { DeleteUserDialog } from "./delete-user-dialog";
import { DisableDialog } from "./disable-dialog";
import { NewTokenDialog } from "./new-token-dialog";
import { NewUserDialog } from "./new-user-dialog";
import { ReplaceTokenDialog } from "./replace-token-dialog";
import { RevokeTokenDialog } from "./revoke-token-dialog";
import { RoleDialog } from "./role-dialog";
import { SessionsDialog } from "./sessions-dialog";
import { SetPasswordDialog } from "./set-password-dialog";
import type { TokenQuestion } from "./tokens-table";
import type { UserQuestion } from "./users-table";

/** The dialog that is open, and about whom or what. It stands beside the list, so it stays when its row goes. */
export type Open =
  | { question: "new user" | "new token" }
  | { question: UserQuestion; user: User }
  | { question: TokenQuestion; token: Token };

export function PeopleDialogs({ open, onClose }: { open: Open | null; onClose: () => void }) {
  const { me } = useSession();
  switch (open?.question) {
    case "new user":
      return <NewUserDialog onClose={onClose} />;
    case "new token":
      return <NewTokenDialog onClose={onClose} />;
    case "role":
      return <RoleDialog user={open.user} onClose={onClose} />;
    case "password":
      if (open.user.username === me?.username) return <PasswordDialog isOpen onClose={onClose} />;
      return <SetPasswordDialog user={open.user} onClose={onClose} />;
    case "sessions":
      return <SessionsDialog user={open.user} onClose={onClose} />;
    case "disable":
      return <DisableDialog user={open.user} onClose={onClose} />;
    case "delete":
      return <DeleteUserDialog user={open.user} onClose={onClose} />;
    case "replace":
      return <ReplaceTokenDialog token={open.token} onClose={onClose} />;
    case "revoke":
      return <RevokeTokenDialog token={open.token} onClose={onClose} />;
    default:
      return null;
  }
}
