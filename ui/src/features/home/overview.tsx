import type { FailedRun, Home } from "../../api/home";
import { type Need, runsOf } from "../../lib/home";
import { AgentsCard } from "./agents-card";
import { FlowsCard } from "./flows-card";
import { NeedsCard } from "./needs-card";
import { NextCard } from "./next-card";
import { RunningCard } from "./running-card";
import { SystemCard } from "./system-card";
import { Verdict } from "./verdict";
import "./home.css";

/** On the left what is going on, on the right what comes next and who does the work. */
export function Overview({
  home,
  needs,
  known,
  isKiosk,
}: {
  home: Home;
  needs: readonly Need<FailedRun>[];
  known: readonly Need<FailedRun>[];
  isKiosk: boolean;
}) {
  return (
    <>
      <Verdict home={home} known={runsOf(known)} isQuiet={needs.length === 0} isKiosk={isKiosk} />
      <div className="home">
        <div className="home-column">
          <NeedsCard home={home} needs={needs} known={known.length} />
          <RunningCard running={home.running} />
          <FlowsCard flows={home.flows.items} hasMore={home.flows.next !== null} />
        </div>
        <div className="home-column">
          <NextCard runs={home.next.items} />
          <AgentsCard agents={home.agents} serverTime={home.server.time} />
          <SystemCard server={home.server} disk={home.disk} />
        </div>
      </div>
    </>
  );
}
