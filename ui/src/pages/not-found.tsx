import { Link } from "@tanstack/react-router";
import { usePageTitle } from "../ui/page-title";

export function NotFoundPage() {
  usePageTitle("Not found");
  return (
    <div className="notice">
      <h1>Page not found</h1>
      <p className="muted">It may have been deleted, or the link is incomplete.</p>
      <Link to="/runs" className="button primary">
        Go to runs
      </Link>
    </div>
  );
}
