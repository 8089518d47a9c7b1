import { Link, useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import type { Flow } from "../../api/flows";
import { lookOf } from "../../lib/states";
import { Countdown, Instant } from "../../ui/instant";
import { useShortcuts } from "../../ui/shortcuts";
import { StatePill } from "../../ui/state-pill";
import { Strip } from "../../ui/strip";
import { useWriting } from "../session/permissions";
import { FlowMenu } from "./flow-menu";
import { FlowTabs } from "./flow-tabs";
import "./flow.css";

/** A flow's page: what is the same on all of its tabs, and the chosen one below. */
export function FlowView({ flow, children }: { flow: Flow; children: ReactNode }) {
  const writing = useWriting();
  const navigate = useNavigate();
  useShortcuts("Flow", [
    { keys: "n", label: "Run…", run: () => void navigate({ to: "/flows/$flowId/run", params: { flowId: flow.id } }) },
  ]);
  const latest = flow.recentRuns[0];
  return (
    <div className="page flow-page">
      <header className="run-head">
        <nav className="crumbs" aria-label="Breadcrumb">
          <Link to="/flows">Flows</Link>
          <span aria-hidden="true">/</span>
          <span>{flow.project.name}</span>
          <span aria-hidden="true">/</span>
          <span aria-current="page">{flow.name}</span>
        </nav>
        <div className="run-head-line">
          <h1>{flow.name}</h1>
          {(flow.paused || flow.archived) && <span className="mark">{flow.archived ? "Archived" : "Paused"}</span>}
          {latest && <StatePill look={lookOf(latest.state)} />}
          {flow.owner && <span className="muted">owner {flow.owner}</span>}
          <Strip runs={flow.recentRuns} />
          {flow.nextRun && (
            <span className="muted number">
              next <Instant at={flow.nextRun.scheduledTime} />, <Countdown at={flow.nextRun.scheduledTime} />
            </span>
          )}
          <span className="spring" />
          {writing.allowed && !flow.archived ? (
            <Link to="/flows/$flowId/run" params={{ flowId: flow.id }} className="button primary">
              Run…
            </Link>
          ) : (
            <span title={flow.archived ? "Take the flow out of the archive to run it." : writing.reason}>
              <Button className="button" isDisabled>
                Run…
              </Button>
            </span>
          )}
          <FlowMenu flow={flow} />
        </div>
        {flow.archived ? (
          <p className="muted">This flow is in the archive: no runs start, and new ones are refused.</p>
        ) : (
          flow.paused && <p className="muted">This flow is paused: its runs wait, and its schedules plan none.</p>
        )}
        {flow.warnings.map((warning) => (
          <p key={warning} className="muted" role="note">
            {warning}
          </p>
        ))}
      </header>
      <FlowTabs flowId={flow.id} />
      {children}
    </div>
  );
}
