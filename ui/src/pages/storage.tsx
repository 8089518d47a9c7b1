import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { bundlesQuery, type KeptResult, type KeptTotals, keptResultsQuery, keptTotalsQuery } from "../api/kept";
import { useMay, useWriting } from "../features/session/permissions";
import { BundlesTable } from "../features/storage/bundles-table";
import { DeleteResultDialog } from "../features/storage/delete-result-dialog";
import { ResultFilter } from "../features/storage/result-filter";
import { ResultsTable } from "../features/storage/results-table";
import { totalInWords } from "../lib/kept";
import { BusyButton } from "../ui/busy-button";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

export function StoragePage() {
  usePageTitle("Storage");
  const may = useMay();
  if (!may("results:manage") || !may("bundles:read"))
    return (
      <Empty title="Only administrators see what is stored." isPage>
        Ask one of them.
      </Empty>
    );
  return <Storage />;
}

function Storage() {
  const totals = useQuery(keptTotalsQuery).data;
  return (
    <div className="page">
      <div className="page-head">
        <h1>Stored code and results</h1>
        <span className="spring" />
        <Link to="/projects" className="muted">
          What each project has stored
        </Link>
      </div>
      <Code totals={totals} />
      <Results totals={totals} />
    </div>
  );
}

function Code({ totals }: { totals: KeptTotals | undefined }) {
  const query = useInfiniteQuery(bundlesQuery);
  const bundles = query.data?.pages.flatMap((page) => page.items) ?? [];
  const total =
    totals &&
    totalInWords(totals.bundles, "bundle", [
      [totals.mostBytesOfBundle, "each"],
      [totals.mostBytesOfProject, "per project with all else"],
    ]);
  return (
    <Part title="Code" total={total} query={query} what="The bundles" isEmpty={bundles.length === 0}>
      {bundles.length === 0 ? (
        <Empty title="No code is stored.">
          Registering the flows of a project stores their files here, for agents on any machine.
        </Empty>
      ) : (
        <BundlesTable bundles={bundles} />
      )}
    </Part>
  );
}

function Results({ totals }: { totals: KeptTotals | undefined }) {
  const { project = "", prefix = "" } = useSearch({ from: "/app/system/storage" });
  const query = useInfiniteQuery({ ...keptResultsQuery(project, prefix), placeholderData: keepPreviousData });
  const writing = useWriting();
  const [deleting, setDeleting] = useState<KeptResult | null>(null);
  const results = query.data?.pages.flatMap((page) => page.items) ?? [];
  const total =
    totals &&
    totalInWords(totals.results, "result", [
      [totals.mostBytesOfResult, "each"],
      [totals.mostBytesOfRun, "per run"],
      [totals.mostBytesOfProject, "per project with all else"],
    ]);
  return (
    <Part
      title="Results"
      total={total}
      query={query}
      what="The results"
      isEmpty={results.length === 0}
      filter={<ResultFilter project={project} prefix={prefix} />}
    >
      {results.length > 0 ? (
        <ResultsTable results={results} isEditable={writing.allowed} onDelete={setDeleting} />
      ) : project ? (
        <Empty title="No results match." />
      ) : (
        <Empty title="No results are stored.">
          Runs store them here if <code>APPLIANCE_RESULTS_URL=appliance:</code> is set for their agent, or if their flow
          has <code>ApplianceResult()</code>.
        </Empty>
      )}
      {deleting && <DeleteResultDialog result={deleting} onClose={() => setDeleting(null)} />}
    </Part>
  );
}

interface PartProps {
  title: string;
  total: string | undefined;
  query: {
    isPending: boolean;
    isError: boolean;
    error: Error | null;
    refetch: () => unknown;
    hasNextPage: boolean;
    isFetchingNextPage: boolean;
    fetchNextPage: () => unknown;
  };
  what: string;
  isEmpty: boolean;
  filter?: ReactNode;
  children: ReactNode;
}

/** One of the two tables, with what it adds up to. */
function Part({ title, total, query, what, isEmpty, filter, children }: PartProps) {
  return (
    <div className="kept-part">
      <div className="page-head">
        <h2>{title}</h2>
        <span className="muted">{total}</span>
      </div>
      {filter}
      <div className="card table-card">
        <section className="table-box" aria-label={title} tabIndex={0}>
          {query.isPending ? (
            <Skeleton rows={4} label={title.toLowerCase()} />
          ) : query.isError && query.error && isEmpty ? (
            <Failure error={query.error} retry={() => void query.refetch()} what={what} />
          ) : (
            children
          )}
        </section>
        {query.hasNextPage && (
          <div className="row center">
            <BusyButton className="button" isBusy={query.isFetchingNextPage} onPress={() => void query.fetchNextPage()}>
              Show more
            </BusyButton>
          </div>
        )}
      </div>
    </div>
  );
}
