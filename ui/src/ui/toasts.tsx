/** Toasts: short confirmations; errors stay until they are dismissed. */

import { type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { Button } from "react-aria-components";
import { ApiError } from "../api/http";

interface Toast {
  id: number;
  tone: "done" | "error";
  text: ReactNode;
  details?: string;
}

const LASTS = 6_000;
const MOST = 3;
let toasts: readonly Toast[] = [];
let last = 0;
const watchers = new Set<() => void>();

function set(next: readonly Toast[]): void {
  toasts = next;
  for (const watcher of watchers) watcher();
}

export function toast(text: ReactNode): void {
  last += 1;
  set([...toasts, { id: last, tone: "done" as const, text }].slice(-MOST));
}

/** Shows an error once, however many requests fail with it at the same time. */
export function toastError(error: unknown): void {
  const text = textOf(error);
  if (toasts.some((one) => one.tone === "error" && one.text === text)) return;
  last += 1;
  const details = error instanceof ApiError ? `${error.code} ${error.requestId}`.trim() : "";
  set([...toasts, { id: last, tone: "error" as const, text, details }].slice(-MOST));
}

function textOf(error: unknown): string {
  if (error instanceof ApiError && error.code === "disk_full")
    return "Nothing was changed: the disk of the database is full. Reading still works; an administrator can free space.";
  return error instanceof Error ? error.message : "Something went wrong.";
}

function close(id: number): void {
  set(toasts.filter((one) => one.id !== id));
}

export function Toasts() {
  const visible = useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => toasts,
  );
  return (
    <section className="toasts" aria-label="Notices" aria-live="polite">
      {visible.map((one) => (
        <ToastCard key={one.id} toast={one} />
      ))}
    </section>
  );
}

function ToastCard({ toast: { id, tone, text, details } }: { toast: Toast }) {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (tone === "error" || held) return;
    const timer = window.setTimeout(() => close(id), LASTS);
    return () => window.clearTimeout(timer);
  }, [id, tone, held]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: hovering only keeps the toast open
    <div
      className={`toast toast-${tone}`}
      onMouseEnter={() => setHeld(true)}
      onMouseLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <div>
        {text}
        {details && <div className="mono subtle">{details}</div>}
      </div>
      <Button className="button quiet small" aria-label="Dismiss notice" onPress={() => close(id)}>
        ✕
      </Button>
    </div>
  );
}
