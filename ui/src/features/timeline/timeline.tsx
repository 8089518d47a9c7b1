import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { Button } from "react-aria-components";
import { blocksOf, inOrder, placeOf, rowsOf, type TaskGroup } from "../../lib/task-groups";
import { elapsed, formatClock, formatDuration } from "../../lib/time";
import { childRow, domainOf, place, type Row, rowOf, type Segment, ticksOf } from "../../lib/timeline";
import { useNow } from "../../ui/clock";
import { type ChildrenView, useChildren } from "./use-children";
import { useScrollToSelected } from "./use-scroll-to-selected";
import "./timeline.css";

const ROW = 24;
const CENTER = { align: "center" } as const;
const TICKS = 5;

interface Props extends Omit<ChildrenView, "sort"> {
  groups: readonly TaskGroup[];
  order: readonly string[];
  startTime: string | null;
  endTime: string | null;
  selected: string;
  expanded: ReadonlySet<string>;
  onToggle: (slug: string) => void;
  onSelect: (selection: string) => void;
}

/** Bars over time: light for waiting, solid for running, one segment per attempt; a collapsed mapped task is one
 * density bar. */
export function Timeline(props: Props) {
  const { flowRunId, family, groups, order, startTime, endTime, selected, expanded, onToggle, onSelect } = props;
  const ticking = useNow();
  const now = endTime ? Date.parse(endTime) : ticking;
  const blocks = useMemo(
    () =>
      blocksOf(
        inOrder(groups, order),
        () => true,
        ({ taskSlug }) => expanded.has(taskSlug),
      ),
    [groups, order, expanded],
  );
  const domain = useMemo(() => domainOf(startTime, endTime, groups, now), [startTime, endTime, groups, now]);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rowsOf(blocks),
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 16,
  });
  const items = virtual.getVirtualItems();
  const view = { flowRunId, family, sort: "WORST_FIRST" as const };
  const child = useChildren(view, blocks, items[0]?.index ?? 0, (items.at(-1)?.index ?? -1) + 1);
  const rowAt = (index: number): Row => {
    const { block, child: number } = placeOf(blocks, index);
    const { taskSlug } = block.group;
    if (number === null) return rowOf(block.group, expanded.has(taskSlug), now);
    return childRow(taskSlug, number, child(taskSlug, number), now);
  };
  const select = useScrollToSelected(view, blocks, selected, onSelect, (row) => virtual.scrollToIndex(row, CENTER));
  const isSelected = (row: Row) => row.selection !== "" && row.selection === selected;
  return (
    <section className="timeline" ref={box} aria-label="Timeline of tasks" tabIndex={0}>
      <Axis domain={domain} />
      <ul style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = rowAt(item.index);
          return (
            <li
              key={item.key}
              className={`track ${isSelected(row) ? "track-selected" : ""}`}
              style={{ top: item.start }}
            >
              <Label row={row} now={now} selected={isSelected(row)} onToggle={onToggle} onSelect={select} />
              <Bars row={row} domain={domain} />
            </li>
          );
        })}
      </ul>
      {!endTime && startTime && <NowLine domain={domain} now={now} />}
    </section>
  );
}

function Axis({ domain }: { domain: [number, number] }) {
  return (
    <div className="axis" aria-hidden="true">
      <span className="axis-plot">
        {ticksOf(domain, TICKS)
          .filter(({ at }) => place(at, at, domain).left < 88)
          .map(({ at, step }) => (
            <span key={at} className="tick" style={{ left: `${place(at, at, domain).left}%` }}>
              {step < 1000 ? `+${formatDuration(at - domain[0])}` : formatClock(new Date(at))}
            </span>
          ))}
      </span>
    </div>
  );
}

function NowLine({ domain, now }: { domain: [number, number]; now: number }) {
  return (
    <div className="now-plot" aria-hidden="true">
      <span className="now-line" style={{ left: `${place(now, now, domain).left}%` }} />
    </div>
  );
}

interface LabelProps extends Pick<Props, "onToggle" | "onSelect"> {
  row: Row;
  now: number;
  selected: boolean;
}

function Label({ row, now, selected, onToggle, onSelect }: LabelProps) {
  const took = row.run && row.children === 0 ? elapsed(row.run.startTime, row.run.endTime, now) : null;
  const counts = row.children > 0 ? countsText(row) : "";
  const title = [row.label, counts || row.word, took !== null && formatDuration(took), row.run?.state.message]
    .filter(Boolean)
    .join(" · ");
  return (
    <div className={`track-label depth-${row.depth}`}>
      {row.children > 0 ? (
        <Button
          className="expander"
          aria-expanded={row.expanded}
          aria-label={`${row.expanded ? "Collapse" : "Expand"} ${row.label}`}
          onPress={() => onToggle(row.label)}
        >
          <svg className="state-icon" width="10" height="10" viewBox="0 0 12 12" aria-hidden="true">
            <path d={row.expanded ? "M2 4 6 8.5 10 4" : "M4 2 8.5 6 4 10"} />
          </svg>
        </Button>
      ) : (
        <span className="expander" />
      )}
      <button
        type="button"
        className="track-select"
        disabled={row.selection === ""}
        aria-pressed={selected}
        aria-label={title}
        title={title}
        onClick={() => onSelect(row.selection)}
      >
        <span className={row.family === "failed" ? "text-failed strong" : ""}>{row.label}</span>
        {row.children > 0 && <span className="subtle"> ({row.children.toLocaleString("en")})</span>}
      </button>
    </div>
  );
}

const ORDER = ["success", "failed", "running", "attention", "waiting", "upstream", "neutral", "paused"] as const;
const WORDS: Record<(typeof ORDER)[number], string> = {
  success: "ok",
  failed: "failed",
  running: "running",
  attention: "retrying",
  waiting: "waiting",
  upstream: "not run",
  neutral: "cancelled",
  paused: "paused",
};

function countsText(row: Row): string {
  return ORDER.filter((family) => row.counts[family])
    .map((family) => `${row.counts[family]?.toLocaleString("en")} ${WORDS[family]}`)
    .join(" · ");
}

function Bars({ row, domain }: { row: Row; domain: [number, number] }) {
  const end = row.segments.at(-1)?.end;
  return (
    <div className="track-plot" aria-hidden="true">
      {row.segments.map((segment, index) => (
        <Bar key={index} segment={segment} row={row} domain={domain} />
      ))}
      {row.children > 0 && end !== undefined && (
        <span
          className={`track-counts ${place(end, end, domain).left > 62 ? "track-counts-left" : ""}`}
          style={countsAt(row, domain)}
        >
          {countsText(row)}
        </span>
      )}
    </div>
  );
}

function countsAt(row: Row, domain: [number, number]) {
  const start = row.segments[0]?.start ?? domain[0];
  const end = row.segments.at(-1)?.end ?? start;
  const right = place(end, end, domain).left;
  if (right <= 62) return { left: `calc(${right}% + 6px)` };
  const left = place(start, start, domain).left;
  return left >= 34 ? { right: `calc(${100 - left}% + 6px)` } : { display: "none" };
}

function Bar({ segment, row, domain }: { segment: Segment; row: Row; domain: [number, number] }) {
  const { left, width } = place(segment.start, segment.end, domain);
  const style = { left: `min(${left}%, 100% - 3px)`, width: `max(3px, ${width}%)` };
  const kind = segment.kind === "waiting" ? "bar-waiting" : `bar-${segment.family}`;
  return (
    <span
      className={`bar ${kind} ${segment.open ? "bar-open" : ""} ${row.density.length ? "bar-density" : ""}`}
      style={style}
    >
      {row.density.map((share, index) => (
        <i key={index} style={{ opacity: 0.3 + 0.7 * share }} />
      ))}
    </span>
  );
}
