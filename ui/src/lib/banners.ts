/** The text of the banners below the top bar: one line each, the most serious first, at most two. */

import { runsIn } from "./bulk";
import type { Permission } from "./permissions";
import { formatInstant } from "./time";

/** The parts of the appliance's state that banners report. */
export interface System {
  disk: { writable: boolean; warnings: readonly string[] };
  hold: { held: boolean; runs: number; before: string | null };
  maintenance: { active: boolean; until: string | null; by: string; reason: string };
}

export interface Banner {
  id: "disk" | "hold" | "maintenance";
  tone: "failed" | "attention";
  text: string;
  /** The button's label; null for people without the permission. */
  action: string | null;
}

const MOST = 2;
/** The server stops counting here. */
const COUNTED = 10_000;

export function bannersOf(system: System, now: number, may: (permission: Permission) => boolean): Banner[] {
  const { disk, hold, maintenance } = system;
  const banners: Banner[] = [];
  const canFree = may("disk:manage");
  if (!disk.writable) {
    const who = canFree ? "" : " An administrator can free space.";
    banners.push({
      id: "disk",
      tone: "failed",
      text: `The disk of the database is full: changes are rejected, but reading still works.${who}`,
      action: canFree ? "Free space…" : null,
    });
  }
  if (hold.held) banners.push(heldBanner(hold, may("hold:manage")));
  if (maintenance.active && !(maintenance.until && Date.parse(maintenance.until) <= now))
    banners.push(maintenanceBanner(maintenance, now, may("maintenance:manage")));
  const warning = disk.warnings[0];
  if (disk.writable && warning) {
    const who = canFree ? "" : " An administrator can free space.";
    banners.push({
      id: "disk",
      tone: "attention",
      text: `${warning}${who}`,
      action: canFree ? "Free space…" : null,
    });
  }
  return banners.slice(0, MOST);
}

function heldBanner(hold: System["hold"], canManage: boolean): Banner {
  const runs = runsIn(hold.runs, hold.runs >= COUNTED);
  const verb = hold.runs === 1 ? "is" : "are";
  return {
    id: "hold",
    tone: "attention",
    text: `${runs} that came due during an outage ${verb} held.${canManage ? "" : " An administrator can release them."}`,
    action: canManage ? "Decide…" : null,
  };
}

function maintenanceBanner(maintenance: System["maintenance"], now: number, canManage: boolean): Banner {
  const { until, by, reason } = maintenance;
  const why = reason ? ` (${reason})` : "";
  const end = until ? formatInstant(new Date(until), new Date(now)) : "someone ends it";
  return {
    id: "maintenance",
    tone: "attention",
    text: `Maintenance by ${by}${why}: no runs start until ${end}. Active runs continue.`,
    action: canManage ? "End maintenance" : null,
  };
}

/** What freeing space did, in a sentence. */
export function freedInWords(deleted: readonly { kind: string; count: number }[], bytes: number): string {
  const parts = deleted
    .filter(({ kind, count }) => count > 0 && kind !== "pages")
    .map(({ kind, count }) => `${count.toLocaleString("en")} ${WORDS[kind]?.[count === 1 ? 0 : 1] ?? kind}`);
  if (parts.length === 0)
    return bytes > 0 ? `${sizeInWords(bytes)} freed; nothing was deleted.` : "There was nothing to delete.";
  return `Deleted ${parts.join(", ")}; ${sizeInWords(bytes)} freed.`;
}

const WORDS: Record<string, [string, string]> = {
  runs: ["run", "runs"],
  logs: ["log line", "log lines"],
  events: ["event", "events"],
  skips: ["missed due time", "missed due times"],
  jobs: ["job", "jobs"],
  tokens: ["token", "tokens"],
  sessions: ["session", "sessions"],
  rollups: ["hourly sum", "hourly sums"],
};

export function sizeInWords(bytes: number): string {
  const mega = bytes / 2 ** 20;
  if (mega < 1) return `${Math.round(bytes / 1024)} KB`;
  return mega >= 1024 ? `${(mega / 1024).toFixed(1)} GB` : `${mega >= 10 ? Math.round(mega) : mega.toFixed(1)} MB`;
}
