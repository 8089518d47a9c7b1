import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { dryRunQuery } from "../../api/automations";
import { type Draft, eventWords } from "../../lib/automations";
import { counted } from "../../lib/counted";
import { Instant } from "../../ui/instant";
import { useSettled } from "../../ui/settled";

const LISTED = 5;

/** How often the automation would have acted in the last 30 days, by the same rules and the same events. */
export function DryRunNote({ draft }: { draft: Draft }) {
  const { events, q, per } = draft;
  const atMost = /^\d{1,3}$/.test(draft.atMost) ? Number(draft.atMost) : 0;
  const condition = useMemo(() => ({ events, q, atMost, per: Number(per) }), [events, q, atMost, per]);
  const query = useQuery(dryRunQuery(useSettled(condition)));
  const dry = query.data;
  if (events.length === 0) return null;
  return (
    <section className="dry-run" aria-label="Dry run" aria-live="polite">
      {query.isError ? (
        <p className="text-failed">{query.error.message}</p>
      ) : !dry ? (
        <p className="muted">Looking back at the last 30 days…</p>
      ) : (
        <>
          <p>
            It would have acted <b>{counted(dry.fired, "time")}</b> in the last 30 days
            {dry.events > dry.fired && ` (${counted(dry.events, "event")}, more than it may)`}.
            {!dry.complete && (
              <>
                {" "}
                Counted since <Instant at={dry.since} /> only.
              </>
            )}
          </p>
          <ul>
            {dry.newest.slice(0, LISTED).map((one) => (
              <li key={`${one.at} ${one.objectId}`}>
                <Instant at={one.at} /> <span className="muted">{eventWords(one.event)}</span>{" "}
                {one.event.startsWith("run.") ? (
                  <Link to="/runs/$runId" params={{ runId: one.objectId }} target="_blank">
                    {one.flow} {one.run}
                  </Link>
                ) : (
                  one.flow || one.run
                )}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
