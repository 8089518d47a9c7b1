import { describe, expect, it } from "vitest";
import { bannersOf, freedInWords, type System, sizeInWords } from "./banners";

const NOW = Date.UTC(2026, 10, 23, 6);
const WELL: System = {
  disk: { writable: true, warnings: [] },
  hold: { held: false, runs: 0, before: null },
  maintenance: { active: false, until: null, by: "", reason: "" },
};
const FULL = { ...WELL.disk, writable: false, warnings: ["Only 3 MB are free on the database's disk."] };
const HELD = { held: true, runs: 1_204, before: null };
const MAINTENANCE = { active: true, until: null, by: "alice", reason: "new disks" };
const admin = () => true;
const viewer = () => false;
const row = (kind: string, count: number) => ({ kind, count });
const ids = (system: System) => bannersOf(system, NOW, admin).map((banner) => banner.id);

describe("banners", () => {
  it("are none when all is well", () => {
    expect(bannersOf(WELL, NOW, admin)).toEqual([]);
  });

  it("are the two gravest", () => {
    expect(ids({ disk: FULL, hold: HELD, maintenance: MAINTENANCE })).toEqual(["disk", "hold"]);
    const nearly = { ...WELL.disk, warnings: FULL.warnings };
    expect(ids({ disk: nearly, hold: HELD, maintenance: MAINTENANCE })).toEqual(["hold", "maintenance"]);
  });

  it("offer the action only to those who may", () => {
    const [mine] = bannersOf({ ...WELL, disk: FULL }, NOW, admin);
    const [theirs] = bannersOf({ ...WELL, disk: FULL }, NOW, viewer);
    expect([mine?.tone, mine?.action, theirs?.action]).toEqual(["failed", "Free space…", null]);
    expect(theirs?.text).toContain("An administrator can free space.");
  });

  it("say a disk's warning once it is not full any more", () => {
    const [banner] = bannersOf({ ...WELL, disk: { ...FULL, writable: true } }, NOW, admin);
    expect(banner).toMatchObject({ tone: "attention", text: FULL.warnings[0] });
  });

  it("count held runs", () => {
    expect(bannersOf({ ...WELL, hold: HELD }, NOW, admin)[0]?.text).toBe(
      "1,204 runs that came due during an outage are held.",
    );
    expect(bannersOf({ ...WELL, hold: { ...HELD, runs: 10_000 } }, NOW, admin)[0]?.text).toMatch(/^10,000\+ runs/);
    expect(bannersOf({ ...WELL, hold: { ...HELD, runs: 1 } }, NOW, viewer)[0]?.text).toBe(
      "1 run that came due during an outage is held. An administrator can release them.",
    );
  });

  it("end with the maintenance, without being told", () => {
    const until = (ms: number) => ({
      ...WELL,
      maintenance: { ...MAINTENANCE, until: new Date(NOW + ms).toISOString() },
    });
    expect(ids(until(1_000))).toEqual(["maintenance"]);
    expect(ids(until(0))).toEqual([]);
    expect(bannersOf({ ...WELL, maintenance: MAINTENANCE }, NOW, admin)[0]?.text).toBe(
      "Maintenance by alice (new disks): no runs start until someone ends it. Active runs continue.",
    );
  });
});

it("says what was freed", () => {
  expect(freedInWords([row("runs", 1), row("logs", 2_000), row("pages", 9)], 3 * 2 ** 20)).toBe(
    "Deleted 1 run, 2,000 log lines; 3.0 MB freed.",
  );
  expect(freedInWords([], 0)).toBe("There was nothing to delete.");
  expect(freedInWords([row("pages", 4)], 64 * 2 ** 20)).toBe("64 MB freed; nothing was deleted.");
  expect(sizeInWords(3 * 2 ** 30)).toBe("3.0 GB");
});
