/** The runs of the list by due time. A range of bars, chosen with the pointer or the keyboard, becomes the query's since and until. */

import { type KeyboardEvent, type PointerEvent, useMemo, useRef, useState } from "react";
import type { RunHistogram } from "../../api/flow-runs";
import { type Bar, barsOf, PARTS, rangeOf, sentenceOf, sumOf } from "../../lib/histogram";
import { formatInstant } from "../../lib/time";
import "./histogram.css";

const HEIGHT = 40;

interface Props {
  histogram: RunHistogram;
  onRange: (since: string, until: string) => void;
}

interface Range {
  from: number;
  to: number;
}

export function Histogram({ histogram, onRange }: Props) {
  const bars = useMemo(() => barsOf(histogram), [histogram]);
  const brush = useBrush(bars, onRange);
  const [first, last] = brush.range ? rangeOf(brush.range.from, brush.range.to, bars.length) : [-1, -1];
  const chosen = brush.range && sumOf(bars.slice(first, last + 1));
  const whole = sumOf(bars);
  return (
    <figure className="histogram">
      <div
        className="histogram-bars"
        role="slider"
        tabIndex={0}
        aria-label="Runs by due time: arrow keys move, Shift extends, Enter filters by the time"
        aria-valuemin={0}
        aria-valuemax={bars.length - 1}
        aria-valuenow={brush.range?.to ?? bars.length - 1}
        aria-valuetext={chosen ? `${spanOf(chosen)}: ${sentenceOf(chosen)}` : sentenceOf(whole)}
        {...brush.handlers}
      >
        <Bars bars={bars} />
        {chosen && (
          <span
            className="histogram-range"
            style={{ left: percent(first, bars), width: percent(last - first + 1, bars) }}
          />
        )}
      </div>
      <figcaption className="histogram-caption number">
        <span>{instant(whole.start)}</span>
        <span className="histogram-value" aria-hidden="true">
          {chosen
            ? `${spanOf(chosen)} · ${sentenceOf(chosen)}`
            : !histogram.complete && "Earlier runs are not counted here."}
        </span>
        <span>{instant(whole.end)}</span>
      </figcaption>
    </figure>
  );
}

const percent = (places: number, bars: readonly Bar[]) => `${(places / bars.length) * 100}%`;
const instant = (at: string) => formatInstant(new Date(at), new Date());
const spanOf = (bar: Bar) => `${instant(bar.start)} – ${instant(bar.end)}`;

function Bars({ bars }: { bars: readonly Bar[] }) {
  const most = Math.max(1, ...bars.map((bar) => bar.total));
  return (
    <svg viewBox={`0 0 ${bars.length} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {bars.map((bar, place) => {
        let top = HEIGHT;
        return PARTS.map(({ part, family }) => {
          if (bar[part] === 0) return null;
          const height = Math.max((bar[part] / most) * HEIGHT, 2);
          top -= height;
          return <rect key={part} className={`bar-${family}`} x={place + 0.08} width={0.84} y={top} height={height} />;
        });
      })}
    </svg>
  );
}

/** The range that is chosen: by dragging, or with the arrow keys. */
function useBrush(bars: readonly Bar[], onRange: Props["onRange"]) {
  const [range, setRange] = useState<Range | null>(null);
  const isDragging = useRef(false);
  const apply = (chosen: Range) => {
    const [first, last] = rangeOf(chosen.from, chosen.to, bars.length);
    setRange(null);
    onRange((bars[first] as Bar).start, (bars[last] as Bar).end);
  };
  const placeOf = (event: PointerEvent<HTMLElement>) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    const place = Math.floor(((event.clientX - left) / width) * bars.length);
    return Math.min(Math.max(place, 0), bars.length - 1);
  };
  return {
    range,
    handlers: {
      onPointerDown: (event: PointerEvent<HTMLElement>) => {
        isDragging.current = true;
        event.currentTarget.setPointerCapture?.(event.pointerId);
        setRange({ from: placeOf(event), to: placeOf(event) });
      },
      onPointerMove: (event: PointerEvent<HTMLElement>) => {
        const to = placeOf(event);
        setRange((now) => ({ from: isDragging.current && now ? now.from : to, to }));
      },
      onPointerUp: () => {
        if (isDragging.current && range) apply(range);
        isDragging.current = false;
      },
      onPointerLeave: () => {
        if (!isDragging.current) setRange(null);
      },
      onPointerCancel: () => {
        isDragging.current = false;
        setRange(null);
      },
      onBlur: () => setRange(null),
      onKeyDown: (event: KeyboardEvent<HTMLElement>) => {
        const next = moved(event.key, event.shiftKey, range, bars.length);
        if (event.key === "Enter" && range) apply(range);
        else if (next === undefined) return;
        else setRange(next);
        event.preventDefault();
        event.stopPropagation();
      },
    },
  };
}

/** The range after a key; undefined for a key that means nothing here. */
function moved(key: string, isExtending: boolean, range: Range | null, bars: number): Range | null | undefined {
  const places: Record<string, number> = {
    ArrowLeft: (range?.to ?? bars) - 1,
    ArrowRight: range ? range.to + 1 : 0,
    Home: 0,
    End: bars - 1,
  };
  if (key === "Escape") return range ? null : undefined;
  const place = places[key];
  if (place === undefined) return undefined;
  const to = Math.min(Math.max(place, 0), bars - 1);
  return { from: isExtending && range ? range.from : to, to };
}
