import { Button } from "react-aria-components";
import { live, useConnection } from "../../api/live";
import { formatClock } from "../../lib/time";
import { useNow } from "../../ui/clock";
import { useStale } from "./use-stale";
import "./live.css";

export function LiveLight() {
  const { light, heard, retryAt, polling, fresh } = useConnection();
  const now = useNow();
  const since = formatClock(new Date(heard));
  const [word, rest] = {
    live: ["Live", polling ? ", polling every 5 s" : ""],
    paused: ["Paused", ""],
    reconnecting: fresh ? ["Connecting", ""] : ["Reconnecting", `, data from ${since}`],
    offline: ["Offline", `, retrying in ${Math.max(0, Math.ceil((retryAt - now) / 1000))} s`],
  }[light] as [string, string];
  return (
    <div className="live-box">
      <Button
        className={`live live-${light}`}
        onPress={() => live.togglePause()}
        aria-label={light === "paused" ? "Paused. Resume live updates" : `${word}${rest}. Pause live updates`}
      >
        <span className="live-dot" aria-hidden="true" />
        <span>
          {word}
          <span className="wide-only">{rest}</span>
        </span>
      </Button>
      {light === "offline" && (
        <Button className="button small" onPress={() => live.retryNow()}>
          Retry now
        </Button>
      )}
    </div>
  );
}

export function StaleStrip() {
  const since = useStale();
  if (since === null) return null;
  return (
    <div className="stale-strip" role="status">
      The appliance can't be reached. You see data from {formatClock(new Date(since))}; runs can't be started or stopped
      until it is back.
    </div>
  );
}
