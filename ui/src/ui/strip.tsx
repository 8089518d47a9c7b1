import { isTerminal, lookOf } from "../lib/states";
import { elapsed } from "../lib/time";

interface StripRun {
  id: string;
  state: { type: string; name: string };
  startTime: string | null;
  endTime: string | null;
}

const FULL = 20;
const LEAST = 5;

/** A flow's last runs, oldest on the left: height is duration, failures have full height and a notch. */
export function Strip({ runs, size = 30 }: { runs: readonly StripRun[]; size?: number }) {
  const visible = runs.slice(0, size).reverse();
  const longest = Math.max(1, ...visible.map((run) => elapsed(run.startTime, run.endTime, Date.now()) ?? 0));
  const failed = visible.filter((run) => run.state.type === "FAILED").length;
  const latest = visible.at(-1);
  const summary = latest
    ? `Last ${visible.length} runs, ${failed} failed, most recent: ${lookOf(latest.state).word}`
    : "No runs yet";
  if (visible.length === 0) return null;
  return (
    <span className="strip" role="img" aria-label={summary} title={summary}>
      {Array.from({ length: size - visible.length }, (_, gap) => (
        <i key={gap} className="strip-gap" />
      ))}
      {visible.map((run) => {
        const { family } = lookOf(run.state);
        const took = elapsed(run.startTime, run.endTime, Date.now()) ?? 0;
        const share = Math.log1p(took) / Math.log1p(longest);
        const height = family === "failed" ? FULL : Math.round(LEAST + share * (FULL - LEAST - 2));
        return (
          <i
            key={run.id}
            className={`strip-${family} ${isTerminal(run.state.type) ? "" : "strip-open"}`}
            style={{ height }}
          />
        );
      })}
    </span>
  );
}
