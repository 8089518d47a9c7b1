/** The runs that tasks of this one have started. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type Run, type RunRow, runsQuery } from "../../api/flow-runs";
import { counted } from "../../lib/counted";
import { lookOfRun } from "../../lib/states";
import { brief } from "../../lib/waiting";
import { taskName, whyOf } from "../../lib/why";
import { useNow } from "../../ui/clock";
import { Elapsed } from "../../ui/instant";
import { LoadMore } from "../../ui/load-more";
import { StatePill } from "../../ui/state-pill";

export function ChildrenPanel({ run }: { run: Run }) {
  const q = `parent:${run.id}`;
  const list = useInfiniteQuery(runsQuery({ q, sort: "-scheduled_time" }));
  const children = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section className="panel-scroll" aria-label="Sub-runs" tabIndex={0}>
      <div className="row panel-foot">
        <Link to="/runs" search={{ q }} className="button">
          {counted(run.children.total, "sub-run")} in the list of runs
        </Link>
        {run.children.failed > 0 && (
          <Link to="/runs" search={{ q: `${q} state:failed` }} className="button">
            {run.children.failed.toLocaleString("en")} failed
          </Link>
        )}
      </div>
      <table className="table wrap-table">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Run</th>
            <th scope="col">Task</th>
            <th scope="col" className="right">
              Duration
            </th>
          </tr>
        </thead>
        <tbody>
          {children.map((child) => (
            <ChildRow key={child.id} child={child} />
          ))}
        </tbody>
      </table>
      <LoadMore list={list} />
    </section>
  );
}

function ChildRow({ child }: { child: RunRow }) {
  const look = lookOfRun(child, useNow());
  return (
    <tr>
      <td>
        <StatePill look={look} />
      </td>
      <td>
        <Link to="/runs/$runId" params={{ runId: child.id }} className="link" preload={false}>
          {child.name}
        </Link>{" "}
        <span className="muted">{child.flow.name}</span>
        {whyOf(child) && <p className={`text-${look.family}`}>{brief(whyOf(child))}</p>}
      </td>
      <td className="mono">{child.parent && taskName(child.parent)}</td>
      <td className="right number nowrap">
        <Elapsed start={child.startTime} end={child.endTime} />
      </td>
    </tr>
  );
}
