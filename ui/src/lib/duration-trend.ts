/** The durations of a flow's last runs as places on a chart: time goes right, durations go up on a log scale. */

export interface TrendRun {
  id: string;
  name: string;
  stateType: string;
  stateName: string;
  scheduledTime: string;
  startTime: string | null;
  seconds: number | null;
  version: number;
}

/** `x` and `y` are shares of the width and of the height, from the left and from below. */
export interface TrendPoint {
  run: TrendRun;
  x: number;
  y: number;
}

export interface Trend {
  points: TrendPoint[];
  ticks: { seconds: number; y: number }[];
  /** Where runs of another version begin. */
  versions: { number: number; x: number }[];
  /** From the median to the 95th percentile. */
  band: { from: number; to: number } | null;
}

/** The least duration that the scale tells apart, in seconds. */
const LEAST = 0.001;
const MOST_TICKS = 4;
const ROUND = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200,
  18_000, 43_200, 86_400, 172_800, 604_800, 1_209_600,
];

/** Of runs with the newest first; those that have no duration are left out. Null if there are none. */
export function trendOf(runs: readonly TrendRun[], median: number | null, p95: number | null): Trend | null {
  const timed = runs.filter((run) => run.seconds !== null).reverse();
  if (timed.length === 0) return null;
  const logs = timed.map((run) => Math.log(Math.max(LEAST, run.seconds ?? 0)));
  const low = Math.min(...logs) - 0.3;
  const high = Math.max(...logs) + 0.3;
  const heightOf = (log: number) => (log - low) / (high - low);
  const heightOfSeconds = (seconds: number) => heightOf(Math.log(Math.max(LEAST, seconds)));
  const points = timed.map((run, place) => ({
    run,
    x: (place + 0.5) / timed.length,
    y: heightOf(logs[place] ?? low),
  }));
  return {
    points,
    ticks: thinned(ROUND.filter((seconds) => Math.log(seconds) >= low && Math.log(seconds) <= high)).map((seconds) => ({
      seconds,
      y: heightOfSeconds(seconds),
    })),
    versions: timed.flatMap((run, place) =>
      place > 0 && run.version !== timed[place - 1]?.version ? [{ number: run.version, x: place / timed.length }] : [],
    ),
    band: median === null || p95 === null ? null : { from: heightOfSeconds(median), to: heightOfSeconds(p95) },
  };
}

function thinned(ticks: number[]): number[] {
  const step = Math.ceil(ticks.length / MOST_TICKS);
  return ticks.filter((_, place) => place % Math.max(1, step) === 0);
}

/** The place of the point that is nearest to this share of the width. */
export function nearest(count: number, x: number): number {
  return Math.min(count - 1, Math.max(0, Math.floor(x * count)));
}
