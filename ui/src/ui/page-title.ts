/** The document's title and icon, readable in a pinned tab. */

import { useEffect } from "react";
import { currentSession } from "../api/session";
import { addressOf } from "../lib/base";
import type { Family } from "../lib/states";

const ICONS: Record<Family, string> = {
  success: "success",
  failed: "failed",
  upstream: "failed",
  running: "running",
  waiting: "waiting",
  attention: "attention",
  paused: "paused",
  neutral: "neutral",
};
const MARKS: Partial<Record<Family, string>> = { success: "✓ ", failed: "✕ ", running: "▸ ", attention: "! " };

export function usePageTitle(title: string, family?: Family): void {
  useEffect(() => {
    const site = currentSession().siteName || "Appliance";
    document.title = `${(family && MARKS[family]) ?? ""}${title} · ${site}`;
    document
      .getElementById("favicon")
      ?.setAttribute("href", addressOf(`/icons/${family ? ICONS[family] : "idle"}.svg`));
  }, [title, family]);
}
