import { useQuery } from "@tanstack/react-query";
import { knownFailuresQuery } from "../api/known-failures";
import { KnownTable } from "../features/known-failures/known-table";
import { useMay } from "../features/session/permissions";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

/** What has been decided and comes back: for now, the failures that are known. */
export function InboxPage() {
  usePageTitle("Inbox");
  const query = useQuery(knownFailuresQuery);
  const isEditable = useMay()("runs:mark");
  const failures = query.data ?? [];
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Inbox</h1>
      </div>
      <section className="card table-card" aria-labelledby="known-failures">
        <div className="card-head">
          <h2 id="known-failures">Known failures</h2>
          <span className="muted number">{query.data?.length}</span>
        </div>
        <div className="table-box">
          {query.isPending ? (
            <Skeleton rows={6} label="known failures" />
          ) : query.isError && !query.data ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The known failures" />
          ) : failures.length === 0 ? (
            <Empty title="No known failures.">
              A failure that is marked as known no longer appears under “Needs you” on Home, until its flow succeeds or
              a time that you choose has passed. Mark one there, or on the page of a failed run.
            </Empty>
          ) : (
            <KnownTable failures={failures} isEditable={isEditable} />
          )}
        </div>
      </section>
    </div>
  );
}
