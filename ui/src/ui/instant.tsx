import { elapsed, formatDuration, formatFull, formatInstant, formatRelative } from "../lib/time";
import { useNow } from "./clock";

/** A time in the browser's time zone, or what is said in its place; the tooltip has the full time, UTC, and how long ago. */
export function Instant({ at, children }: { at: string | null; children?: string }) {
  const now = useNow();
  if (!at) return null;
  const date = new Date(at);
  const today = new Date(now);
  const title = `${formatFull(date)}\n${formatFull(date, "UTC")}\n${formatRelative(date, today)}`;
  return (
    <time dateTime={at} title={title}>
      {children ?? formatInstant(date, today)}
    </time>
  );
}

/** How long something took, or has taken so far. */
export function Elapsed({ start, end }: { start: string | null; end: string | null }) {
  const now = useNow();
  const ms = elapsed(start, end, now);
  if (ms === null) return null;
  return <span className="number">{formatDuration(end ? ms : Math.floor(ms / 1000) * 1000)}</span>;
}

export function Countdown({ at }: { at: string }) {
  const now = useNow();
  return <span className="number">{formatRelative(new Date(at), new Date(now))}</span>;
}
