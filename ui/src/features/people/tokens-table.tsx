import type { Token } from "../../api/people";
import { expiryOf, SCOPES, wordOf } from "../../lib/people";
import { formatRelative } from "../../lib/time";
import { useNow } from "../../ui/clock";
import { Instant } from "../../ui/instant";
import { RowMenu } from "./row-menu";
import "./people.css";

export type TokenQuestion = "replace" | "revoke";

interface Props {
  tokens: readonly Token[];
  onAsk: (question: TokenQuestion, token: Token) => void;
}

export function TokensTable({ tokens, onAsk }: Props) {
  return (
    <table className="table wrap-table people-table tokens-table">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Begins with</th>
          <th scope="col">Scope</th>
          <th scope="col">User</th>
          <th scope="col">Created</th>
          <th scope="col">Expires</th>
          <th scope="col">Last used</th>
          <th scope="col">
            <span className="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {tokens.map((token) => (
          <TokenRow key={token.id} token={token} onAsk={onAsk} />
        ))}
      </tbody>
    </table>
  );
}

function TokenRow({ token, onAsk }: { token: Token } & Pick<Props, "onAsk">) {
  const isOver = expiryOf(token.expires_at, useNow()) === "ended";
  return (
    <tr>
      <th scope="row" className="strong">
        {token.name}
      </th>
      <td className="mono">{token.prefix}…</td>
      <td>{wordOf(SCOPES, token.scope)}</td>
      <td>
        <span className="phone-label">Acts as </span>
        {token.username}
      </td>
      <td className="number muted">
        <span className="phone-label">Created </span>
        <Instant at={token.created} />
      </td>
      <td className="number">
        <span className="phone-label">Expires </span>
        <Expiry at={token.expires_at} />
      </td>
      <td className="number muted">
        <span className="phone-label">Last used </span>
        {token.last_used ? <Instant at={token.last_used} /> : "never"}
      </td>
      <td className="cell-action">
        <RowMenu
          label={`Actions for ${token.name}, ${token.prefix}`}
          items={[
            ["Replace…", () => onAsk("replace", token)] as const,
            ["Revoke…", () => onAsk("revoke", token)] as const,
          ].slice(isOver ? 1 : 0)}
        />
      </td>
    </tr>
  );
}

/** When a token ends; marked once somebody should replace it. */
function Expiry({ at }: { at: string | null }) {
  const now = useNow();
  const expiry = expiryOf(at, now);
  if (at === null) return <span className="muted">never</span>;
  return (
    <>
      <Instant at={at} />
      {expiry === "ended" && <span className="pill plain-pill family-failed beside">Expired</span>}
      {expiry === "soon" && (
        <span className="pill plain-pill family-attention beside">{formatRelative(new Date(at), new Date(now))}</span>
      )}
    </>
  );
}
