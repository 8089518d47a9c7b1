import { Link } from "@tanstack/react-router";
import { usePageTitle } from "../ui/page-title";

export function NotFoundPage() {
  usePageTitle("Not found");
  return (
    <div className="notice">
      <h1>There is nothing at this address</h1>
      <p className="muted">It may have been deleted, or the link was cut short.</p>
      <Link to="/runs" className="button primary">
        Go to runs
      </Link>
    </div>
  );
}
