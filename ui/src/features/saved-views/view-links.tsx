import { useQuery } from "@tanstack/react-query";
import { Link, useRouterState } from "@tanstack/react-router";
import { savedViewsQuery } from "../../api/saved-views";
import { searchOf, shownView } from "../../lib/saved-views";
import "./saved-views.css";

/** The saved views in the navigation, under Runs. */
export function ViewLinks() {
  const { data: views = [] } = useQuery(savedViewsQuery);
  const location = useRouterState({ select: (state) => state.location });
  const shown = location.pathname === "/runs" ? shownView(views, location.search) : undefined;
  if (views.length === 0) return null;
  return (
    <ul className="view-links" aria-label="Saved views">
      {views.map((view) => (
        <li key={view.id}>
          <Link
            to="/runs"
            search={searchOf(view)}
            className={`view-link ${view === shown ? "view-link-shown" : ""}`}
            activeProps={{ "aria-current": undefined }}
            title={view.q || "All runs"}
          >
            {view.name}
          </Link>
        </li>
      ))}
    </ul>
  );
}
