/** Which rows of a list with a fixed row height are in view. No row is ever measured. */

import { type RefObject, useEffect, useState } from "react";

export interface Window {
  first: number;
  last: number;
}

const OVERSCAN = 12;

export function useWindow(box: RefObject<HTMLElement | null>, count: number, rowHeight: number, offset = 0): Window {
  const [view, setView] = useState({ top: 0, height: 900 });
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let frame = 0;
    const read = () => {
      frame = 0;
      setView({ top: element.scrollTop, height: element.clientHeight });
    };
    const schedule = () => {
      frame ||= requestAnimationFrame(read);
    };
    read();
    element.addEventListener("scroll", schedule, { passive: true });
    const observer = new ResizeObserver(schedule);
    observer.observe(element);
    return () => {
      cancelAnimationFrame(frame);
      element.removeEventListener("scroll", schedule);
      observer.disconnect();
    };
  }, [box]);
  const first = Math.max(0, Math.floor((view.top - offset) / rowHeight) - OVERSCAN);
  return { first, last: Math.min(count, Math.ceil((view.top - offset + view.height) / rowHeight) + OVERSCAN) };
}
