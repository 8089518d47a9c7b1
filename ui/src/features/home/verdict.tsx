import { Link } from "@tanstack/react-router";
import type { Home } from "../../api/home";
import { HOURS } from "../../api/home";
import { counted } from "../../lib/counted";
import { endedWell } from "../../lib/home";
import { lookOf } from "../../lib/states";
import { Countdown } from "../../ui/instant";
import { StatePill } from "../../ui/state-pill";
import { SiteActions } from "./site-actions";

/** The page in one line: how many failed, are late, run, and ended well, and what comes next. Each part leads to its runs. */
export function Verdict({
  home,
  known,
  isQuiet,
  isKiosk,
}: {
  home: Home;
  /** How many of the failed runs failed for a known reason. */
  known: number;
  isQuiet: boolean;
  isKiosk: boolean;
}) {
  const { ok, share } = endedWell(home.ended);
  const { late, paused, running } = home;
  const failures = { ...home.failures, total: home.failures.total - known };
  const next = home.next.items[0];
  const isAllQuiet = isQuiet && late.total === 0 && paused.total === 0;
  return (
    <div className="verdict">
      <div className="verdict-parts" aria-live="polite">
        {isAllQuiet && (
          <span className="verdict-part verdict-quiet">
            {ok > 0
              ? `All quiet. ${counted(ok, "run")} succeeded in the last ${HOURS} hours.`
              : `All quiet. No run has ended in the last ${HOURS} hours.`}
          </span>
        )}
        {failures.total > 0 && (
          <Link to="/runs" search={{ show: "failed" }} className="verdict-part">
            <StatePill look={lookOf({ type: "FAILED", name: "Failed" })} text={`${many(failures)} failed`} />
            <span className="muted">in {HOURS} hours</span>
          </Link>
        )}
        {late.total > 0 && (
          <Link to="/runs" search={{ show: "waiting" }} className="verdict-part">
            <StatePill look={lookOf({ type: "SCHEDULED", name: "Late" })} text={`${many(late)} late`} />
          </Link>
        )}
        {paused.total > 0 && (
          <Link to="/runs" search={{ show: "waiting" }} className="verdict-part">
            <StatePill look={lookOf({ type: "PAUSED", name: "Paused" })} text={`${many(paused)} paused`} />
          </Link>
        )}
        {running.total > 0 && (
          <Link to="/runs" search={{ show: "running" }} className="verdict-part">
            <StatePill look={lookOf({ type: "RUNNING", name: "Running" })} text={`${many(running)} running`} />
          </Link>
        )}
        {ok > 0 && !isAllQuiet && (
          <Link to="/runs" className="verdict-part">
            <StatePill
              look={lookOf({ type: "SUCCESS", name: "Success" })}
              text={`${ok.toLocaleString("en")} succeeded`}
            />
            {share !== null && <span className="muted number">{share} %</span>}
          </Link>
        )}
        {next && (
          <Link to="/runs/$runId" params={{ runId: next.id }} className="verdict-part">
            Next <b>{next.flow.name}</b>
            <Countdown at={next.scheduledTime} />
          </Link>
        )}
      </div>
      {!isKiosk && <SiteActions running={running.total} />}
    </div>
  );
}

function many({ total, totalCapped }: { total: number; totalCapped: boolean }): string {
  return `${total.toLocaleString("en")}${totalCapped ? "+" : ""}`;
}
