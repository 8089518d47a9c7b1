import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { homeQuery } from "../api/home";
import { Overview } from "../features/home/overview";
import { Welcome } from "../features/home/welcome";
import { needsOf } from "../lib/home";
import { formatDate } from "../lib/time";
import { useNow } from "../ui/clock";
import { Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

/** What is known, and what is not. */
function split<Run>(causes: readonly (Run & { isKnown: boolean })[]) {
  return [causes.filter((cause) => cause.isKnown), causes.filter((cause) => !cause.isKnown)] as const;
}

/** Is everything fine, and if not, why? */
export function HomePage() {
  const query = useQuery(homeQuery);
  const now = useNow();
  const isKiosk = useSearch({ from: "/app/" }).kiosk === true;
  const { data } = query;
  const [known, needs] = useMemo(() => split(data ? needsOf(data.failures.items) : []), [data]);
  const [title, family] = needs.length > 0 ? ([`${needs.length} · Home`, "failed"] as const) : (["Home"] as const);
  usePageTitle(title, family);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{formatDate(new Date(now))}</h1>
        <span className="spring" />
        {!isKiosk && (
          <Link to="/" search={{ kiosk: true }} className="muted link wide-only" title="Only this page, in large type">
            Wall screen
          </Link>
        )}
      </div>
      {query.isPending ? (
        <Skeleton rows={16} label="the overview" />
      ) : !data ? (
        <Failure error={query.error as Error} retry={() => void query.refetch()} what="The overview" />
      ) : data.flows.items.length === 0 ? (
        <Welcome agents={data.agents} />
      ) : (
        <Overview home={data} needs={needs} known={known} isKiosk={isKiosk} />
      )}
    </div>
  );
}
