import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "react-aria-components";
import { type Token, tokensQuery } from "../../api/people";
import { Instant } from "../../ui/instant";
import { RevokeTokenDialog } from "../people/revoke-token-dialog";
import { useWriting } from "../session/permissions";

/** The tokens that belong to an agent. */
export function AgentTokens({ name }: { name: string }) {
  const query = useQuery(tokensQuery);
  const writing = useWriting();
  const [revoking, setRevoking] = useState<Token | null>(null);
  const own = query.data?.filter((token) => token.agent === name) ?? [];
  if (!query.data) return null;
  return (
    <section className="card" aria-labelledby="agent-tokens">
      <div className="card-head">
        <h2 id="agent-tokens">Its tokens</h2>
        <span className="spring" />
        <Link to="/people/tokens" className="muted">
          All tokens
        </Link>
      </div>
      {own.length === 0 ? (
        <p className="muted card-empty">No token belongs to this agent alone.</p>
      ) : (
        <ul className="agent-tokens">
          {own.map((token) => (
            <li key={token.id} className="row">
              <span>
                {token.name} <span className="mono muted">{token.prefix}…</span>
                <span className="muted number">
                  {token.last_used ? (
                    <>
                      , last used <Instant at={token.last_used} />
                    </>
                  ) : (
                    ", never used"
                  )}
                </span>
              </span>
              <span className="spring" />
              <Button
                className="button small"
                isDisabled={!writing.allowed}
                aria-label={`Revoke token ${token.name}, ${token.prefix}`}
                onPress={() => setRevoking(token)}
              >
                Revoke…
              </Button>
            </li>
          ))}
        </ul>
      )}
      {revoking && <RevokeTokenDialog token={revoking} onClose={() => setRevoking(null)} />}
    </section>
  );
}
