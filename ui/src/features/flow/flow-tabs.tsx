/** The tabs of a flow's page. Each has an address, so tabs are links, and the active one is the current page. */

import { Link, useNavigate } from "@tanstack/react-router";
import { useShortcuts } from "../../ui/shortcuts";

const TABS = [
  { to: "/flows/$flowId", label: "Overview" },
  { to: "/flows/$flowId/runs", label: "Runs" },
  { to: "/flows/$flowId/tasks", label: "Tasks" },
  { to: "/flows/$flowId/versions", label: "Versions" },
  { to: "/flows/$flowId/schedules", label: "Schedules" },
  { to: "/flows/$flowId/settings", label: "Settings" },
] as const;

export function FlowTabs({ flowId }: { flowId: string }) {
  const navigate = useNavigate();
  const params = { flowId };
  useShortcuts(
    "Tabs of the flow",
    TABS.map(({ to, label }, place) => ({
      keys: String(place + 1),
      label,
      run: () => void navigate({ to, params }),
    })),
  );
  return (
    <nav className="flow-tabs" aria-label="Parts of the flow">
      {TABS.map(({ to, label }) => (
        <Link
          key={to}
          to={to}
          params={params}
          className="flow-tab"
          activeOptions={{ exact: true, includeSearch: false }}
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}
