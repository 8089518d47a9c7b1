/** Two panes with a divider that moves by pointer or keys; the left pane's share is remembered. */

import { type CSSProperties, type KeyboardEvent, type PointerEvent, type ReactNode, useRef, useState } from "react";
import { keptShare, MOST_SHARE, movedBy, SMALLEST_SHARE, shareAt } from "./split-share";

const KEPT_AS = "appliance-run-split";

function readShare(): number {
  try {
    return keptShare(localStorage.getItem(KEPT_AS));
  } catch {
    // Storage may be blocked; the panes then start with their default widths.
    return keptShare(null);
  }
}

function keepShare(share: number): void {
  try {
    localStorage.setItem(KEPT_AS, String(share));
  } catch {
    // Storage may be blocked; the width is then not remembered.
  }
}

export function Split({ left, right }: { left: ReactNode; right: ReactNode }) {
  const [share, setShare] = useState(readShare);
  const box = useRef<HTMLDivElement>(null);
  const drag = (event: PointerEvent<HTMLElement>) => {
    const area = box.current?.getBoundingClientRect();
    if (area && event.currentTarget.hasPointerCapture(event.pointerId))
      setShare(shareAt(event.clientX, area.left, area.width));
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const next = movedBy(event.key, event.shiftKey, share);
    if (next === null) return;
    event.preventDefault();
    setShare(next);
    keepShare(next);
  };
  return (
    <div
      className="split split-two"
      ref={box}
      style={{ "--left": `${share}fr`, "--right": `${100 - share}fr` } as CSSProperties}
    >
      {left}
      {/* biome-ignore lint/a11y/useSemanticElements: a rule between paragraphs can't be focused or moved */}
      <div
        className="divider"
        role="separator"
        aria-orientation="vertical"
        aria-label="Width of the tasks pane"
        aria-valuemin={SMALLEST_SHARE}
        aria-valuemax={MOST_SHARE}
        aria-valuenow={Math.round(share)}
        aria-valuetext={`${Math.round(share)} percent`}
        tabIndex={0}
        title="Drag or use the arrow keys; Enter makes both panes equal"
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
        onPointerUp={() => keepShare(share)}
        onKeyDown={onKeyDown}
      />
      {right}
    </div>
  );
}
