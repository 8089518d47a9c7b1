import type { User } from "../../api/people";
import { useSession } from "../../api/session";
import { ROLES, wordOf } from "../../lib/people";
import { Instant } from "../../ui/instant";
import { RowMenu } from "./row-menu";
import "./people.css";

export type UserQuestion = "role" | "password" | "sessions" | "disable" | "delete";

interface Props {
  users: readonly User[];
  onAsk: (question: UserQuestion, user: User) => void;
  onEnable: (user: User) => void;
}

export function UsersTable({ users, onAsk, onEnable }: Props) {
  const { me } = useSession();
  return (
    <table className="table wrap-table people-table">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Role</th>
          <th scope="col">State</th>
          <th scope="col">Created</th>
          <th scope="col">
            <span className="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {users.map((user) => (
          <tr key={user.id}>
            <th scope="row" className="strong">
              {user.username}
              {user.username === me?.username && <span className="badge">You</span>}
            </th>
            <td>{wordOf(ROLES, user.role)}</td>
            <td>
              <UserState user={user} />
            </td>
            <td className="number muted">
              <span className="phone-label">Created </span>
              <Instant at={user.created} />
            </td>
            <td className="cell-action">
              <RowMenu
                label={`Actions for ${user.username}`}
                items={[
                  ["Change role…", () => onAsk("role", user)],
                  ["Set password…", () => onAsk("password", user)],
                  ["Sessions…", () => onAsk("sessions", user)],
                  user.disabled ? ["Enable", () => onEnable(user)] : ["Disable…", () => onAsk("disable", user)],
                  ["Delete…", () => onAsk("delete", user)],
                ]}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function UserState({ user }: { user: User }) {
  if (user.disabled) return <span className="pill plain-pill family-neutral">Disabled</span>;
  if (user.must_change_password) return <span className="pill plain-pill family-attention">Must change password</span>;
  return <span className="muted">Active</span>;
}
