/** How long a flow's last runs took: a mark for each run, the range of what is typical, and where versions begin. */

import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, type PointerEvent, useState } from "react";
import { Button } from "react-aria-components";
import type { FlowHistory } from "../../api/flows";
import { counted } from "../../lib/counted";
import { nearest, type Trend, type TrendRun, trendOf } from "../../lib/duration-trend";
import { lookOf } from "../../lib/states";
import { formatDuration, formatInstant } from "../../lib/time";
import { Empty } from "../../ui/notice";
import { TrendTable } from "./trend-table";

export function DurationTrend({ history }: { history: FlowHistory }) {
  const [isTable, setIsTable] = useState(false);
  const trend = trendOf(history.runs, history.medianSeconds, history.p95Seconds);
  return (
    <section className="card" aria-labelledby="durations">
      <div className="card-head">
        <h2 id="durations">Durations</h2>
        <span className="spring" />
        {trend && (
          <Button className="button small" onPress={() => setIsTable(!isTable)}>
            {isTable ? "Show as chart" : "Show as table"}
          </Button>
        )}
      </div>
      {trend ? (
        <>
          <p className="card-note">{typicalInWords(trend.points.length, history)}</p>
          {isTable ? <TrendTable points={trend.points} /> : <TrendChart trend={trend} />}
        </>
      ) : (
        <Empty title="No run has ended yet." />
      )}
    </section>
  );
}

function typicalInWords(runs: number, { medianSeconds, p95Seconds }: FlowHistory): string {
  const last = `the last ${counted(runs, "run")}`;
  if (medianSeconds === null || p95Seconds === null)
    return runs === 1 ? "The only run that ended did not succeed." : `None of ${last} succeeded.`;
  const [half, most] = [medianSeconds, p95Seconds].map((seconds) => formatDuration(seconds * 1000));
  if (runs === 1) return `The only run that ended took ${half}.`;
  return `Of ${last}, half of those that succeeded took at most ${half}, and 95 % at most ${most}.`;
}

function runInWords(run: TrendRun): string {
  const { word } = lookOf({ type: run.stateType, name: run.stateName });
  const at = formatInstant(new Date(run.startTime ?? run.scheduledTime), new Date());
  return `${run.name}: ${word}, ${formatDuration((run.seconds ?? 0) * 1000)}, version ${run.version}, ${at}`;
}

const STEPS: Record<string, (place: number, last: number) => number> = {
  ArrowLeft: (place) => Math.max(0, place - 1),
  ArrowDown: (place) => Math.max(0, place - 1),
  ArrowRight: (place, last) => Math.min(last, place + 1),
  ArrowUp: (place, last) => Math.min(last, place + 1),
  Home: () => 0,
  End: (_, last) => last,
};

function TrendChart({ trend }: { trend: Trend }) {
  const { points } = trend;
  const navigate = useNavigate();
  const last = points.length - 1;
  const [chosen, setChosen] = useState(last);
  const place = Math.min(chosen, last);
  const point = points[place];
  if (!point) return null;
  const open = () => void navigate({ to: "/runs/$runId", params: { runId: point.run.id } });
  const onKeyDown = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (step) setChosen(step(place, last));
    else if (event.key === "Enter") open();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    setChosen(nearest(points.length, (event.clientX - left) / width));
  };
  return (
    <>
      <div className="trend">
        <Ticks trend={trend} />
        <div
          className="trend-plot"
          role="slider"
          tabIndex={0}
          aria-labelledby="durations"
          aria-valuemin={1}
          aria-valuemax={points.length}
          aria-valuenow={place + 1}
          aria-valuetext={runInWords(point.run)}
          onKeyDown={onKeyDown}
          onPointerMove={onPointerMove}
          onClick={open}
        >
          <Marks trend={trend} place={place} />
        </div>
      </div>
      <p className="trend-readout muted">{runInWords(point.run)}</p>
    </>
  );
}

function Ticks({ trend }: { trend: Trend }) {
  return (
    <div className="trend-ticks" aria-hidden="true">
      {trend.ticks.map(({ seconds, y }) => (
        <span key={seconds} style={{ bottom: `${y * 100}%` }}>
          {formatDuration(seconds * 1000)}
        </span>
      ))}
    </div>
  );
}

function Marks({ trend, place }: { trend: Trend; place: number }) {
  const { points, ticks, versions, band } = trend;
  return (
    <>
      {ticks.map(({ seconds, y }) => (
        <i key={seconds} className="trend-line" style={{ bottom: `${y * 100}%` }} />
      ))}
      {band && (
        <i
          className="trend-band"
          style={{ bottom: `${band.from * 100}%`, height: `${(band.to - band.from) * 100}%` }}
        />
      )}
      {versions.map(({ number, x }) => (
        <i key={x} className="trend-version" style={{ left: `${x * 100}%` }}>
          <span>v{number}</span>
        </i>
      ))}
      {points.map(({ run, x, y }, at) => (
        <i
          key={run.id}
          className={`trend-dot trend-${lookOf({ type: run.stateType, name: run.stateName }).family} ${at === place ? "trend-chosen" : ""}`}
          style={{ left: `${x * 100}%`, bottom: `${y * 100}%` }}
        />
      ))}
    </>
  );
}
