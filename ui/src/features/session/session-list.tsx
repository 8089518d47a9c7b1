import type { UseQueryResult } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import type { BrowserSession } from "../../api/people";
import { Instant } from "../../ui/instant";
import { Failure, Skeleton } from "../../ui/notice";
import "./sessions.css";

interface Props {
  query: UseQueryResult<BrowserSession[]>;
  /** What to say when there are none. */
  none: string;
  /** Ends one; left out where they can only be read. */
  onEnd?: (session: BrowserSession) => void;
  isBusy?: boolean;
}

/** The browsers in which somebody is signed in; the one that shows this is marked. */
export function SessionList({ query, none, onEnd, isBusy }: Props) {
  if (query.isPending) return <Skeleton rows={2} label="sessions" />;
  if (!query.data)
    return <Failure error={query.error as Error} retry={() => void query.refetch()} what="The sessions" />;
  if (query.data.length === 0) return <p>{none}</p>;
  return (
    <ul className="sessions" aria-label="Sessions">
      {query.data.map((session, index) => (
        <li key={session.id}>
          <span>
            {session.browser || "Unknown browser"}
            {session.current && <span className="badge">This browser</span>}
            <span className="field-help">
              Signed in <Instant at={session.created} />
              {session.address && ` from ${session.address}`}
            </span>
            <span className="field-help">
              Last used <Instant at={session.last_used} /> · ends <Instant at={session.expires_at} />
            </span>
          </span>
          {onEnd && !session.current && (
            <Button
              className="button small"
              aria-label={`Sign out session ${index + 1}`}
              isDisabled={isBusy}
              onPress={() => onEnd(session)}
            >
              Sign out
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}
