import { Link } from "@tanstack/react-router";
import { DeadEnd } from "../features/palette/dead-end";
import { usePageTitle } from "../ui/page-title";

export function NotFoundPage() {
  usePageTitle("Not found");
  return (
    <DeadEnd
      title="Page not found"
      action={
        <Link to="/runs" className="button primary">
          Go to runs
        </Link>
      }
    >
      It may have been deleted, or the link is incomplete.
    </DeadEnd>
  );
}
