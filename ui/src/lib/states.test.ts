import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { canStop, FAMILIES, isAtRest, isTerminal, lookOf, lookOfRun, nextStepOf } from "./states";
import { whyOf } from "./why";

const css = readFileSync("src/ui/tokens.css", "utf8");

function tokens(theme: "light" | "dark"): Record<string, string> {
  const block =
    theme === "light"
      ? css.slice(css.indexOf(":root"), css.indexOf("[data-theme"))
      : css.slice(css.indexOf("[data-theme"));
  return Object.fromEntries(
    [...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/gi)].map((match) => [match[1], match[2] as string]),
  );
}

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

describe.each(["light", "dark"] as const)("contrast, %s", (theme) => {
  const of = tokens(theme);
  const get = (name: string) => of[name] as string;

  it.each(FAMILIES)("%s reads on its tint and stands out on every background", (family) => {
    expect(contrast(get(`tx-${family}`), get(`tn-${family}`))).toBeGreaterThanOrEqual(4.5);
    for (const background of ["bg", "surface", "raised"])
      expect(contrast(get(`st-${family}`), get(background))).toBeGreaterThanOrEqual(3);
  });

  it.each(["text", "muted", "subtle"])("%s reads on every background", (name) => {
    for (const background of ["bg", "surface", "raised", "sel"])
      expect(contrast(get(name), get(background))).toBeGreaterThanOrEqual(4.5);
  });

  it("controls and the accent can be seen", () => {
    expect(contrast(get("control"), get("bg"))).toBeGreaterThanOrEqual(3);
    expect(contrast(get("accent"), get("on-accent"))).toBeGreaterThanOrEqual(4.5);
  });
});

describe("looks", () => {
  it("every state of the same family still has its own word or icon", () => {
    const names = [
      "Success",
      "Cached",
      "Failed",
      "TimedOut",
      "Crashed",
      "TriggerFailed",
      "Running",
      "Cancelled",
      "Scheduled",
      "Pending",
      "Submitted",
      "Paused",
      "Retrying",
    ];
    const looks = names.map((name) => lookOf({ type: "", name }));
    expect(new Set(looks.map((look) => look.word)).size).toBe(names.length);
    expect(new Set(looks.map((look) => look.icon)).size).toBe(names.length);
  });

  it("an unknown name takes its type's look", () => {
    expect(lookOf({ type: "FAILED", name: "Melted" })).toMatchObject({ family: "failed", word: "Melted" });
    expect(lookOf({ type: "WEIRD", name: "Odd" }).family).toBe("neutral");
  });

  it("what is due and still waits is late, and says how late", () => {
    const due = { state: { type: "SCHEDULED", name: "Scheduled" }, scheduledTime: "2026-11-22T06:00:00Z" };
    const minutes = (n: number) => Date.parse(due.scheduledTime) + n * 60_000;
    expect(lookOfRun(due, minutes(0.5)).word).toBe("Scheduled");
    expect(lookOfRun(due, minutes(6))).toMatchObject({ family: "attention", word: "Late 6 min" });
    expect(lookOfRun(due, minutes(180)).word).toBe("Late 3 h");
  });

  it("knows what can be stopped", () => {
    expect(["SUCCESS", "FAILED", "CANCELLED"].every(isTerminal)).toBe(true);
    expect(["SCHEDULED", "PENDING", "RUNNING", "PAUSED"].every(canStop)).toBe(true);
    expect(canStop("CANCELLING")).toBe(false);
  });
});

describe("the sentence of a row", () => {
  const base = {
    state: { type: "SUCCESS", name: "Success", message: "All well." },
    cause: null,
    waitReason: null,
    taskCounts: { total: 20, success: 12, failed: 0, running: 2, waiting: 6, other: 0 },
  };

  it("is quiet on success, loud on failure", () => {
    expect(whyOf(base)).toBe("");
    const cause = { taskSlug: "extract", mapIndex: 17, message: "boom" };
    expect(whyOf({ ...base, state: { type: "FAILED", name: "Failed", message: "m" }, cause })).toBe(
      "extract[17]: boom",
    );
    expect(whyOf({ ...base, state: { type: "FAILED", name: "Crashed", message: "killed" } })).toBe("killed");
  });

  it("says how far it is and what it waits for", () => {
    expect(whyOf({ ...base, state: { type: "RUNNING", name: "Running", message: "" } })).toBe("60 % · 12 of 20 tasks");
    expect(
      whyOf({ ...base, state: { type: "SCHEDULED", name: "Scheduled", message: "" }, waitReason: "no agent" }),
    ).toBe("no agent");
  });
});

describe("what a person can do next", () => {
  const run = (type: string, name: string, attempt = 1, failed = 0) =>
    nextStepOf({ state: { type, name }, attempt, taskCounts: { failed } });

  it("restarts what ended without success, and a success with failed tasks", () => {
    expect(run("FAILED", "Crashed")).toBe("restart");
    expect(run("CANCELLED", "Cancelled")).toBe("restart");
    expect(run("SUCCESS", "Success", 1, 2)).toBe("restart");
    expect(run("SUCCESS", "Success")).toBeNull();
    expect(run("CANCELLED", "Cancelled", 0)).toBeNull();
  });

  it("resumes what is paused, with or without an end", () => {
    expect(run("PAUSED", "Paused", 0)).toBe("resume");
    expect(run("SCHEDULED", "Paused")).toBe("resume");
    expect(run("SCHEDULED", "AwaitingRetry")).toBeNull();
    expect(run("RUNNING", "Running")).toBeNull();
  });
});

const TYPES = ["SCHEDULED", "PENDING", "PAUSED", "RUNNING", "CANCELLING", "SUCCESS", "FAILED", "CANCELLED"];

describe("every type of state", () => {
  it.each([
    ["SCHEDULED", "waiting"],
    ["PENDING", "waiting"],
    ["PAUSED", "paused"],
    ["RUNNING", "running"],
    ["CANCELLING", "neutral"],
    ["SUCCESS", "success"],
    ["FAILED", "failed"],
    ["CANCELLED", "neutral"],
  ])("%s looks %s under a name that is not known", (type, family) => {
    expect(lookOf({ type, name: "Brand new" })).toMatchObject({ family, word: "Brand new" });
  });

  it("has a word even without a name", () => {
    for (const type of TYPES) expect(lookOf({ type, name: "" }).word).not.toBe("");
  });

  it("has an icon that can be drawn on twelve units", () => {
    for (const name of ["Success", "Late", "Retrying", "ClientFailed", "Finished", "Queued", "Resume", "Looped"]) {
      const { icon } = lookOf({ type: "", name });
      const numbers = [...icon.matchAll(/-?\d+(?:\.\d+)?/g)].map(([number]) => Number(number));
      expect(icon).toMatch(/^M/);
      expect(Math.max(...numbers)).toBeLessThanOrEqual(12);
      expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    }
  });

  it("is over, or can be stopped, or is being stopped: exactly one", () => {
    for (const type of TYPES)
      expect([isTerminal(type), canStop(type), type === "CANCELLING"].filter(Boolean)).toHaveLength(1);
  });

  it("at rest is what no process works on", () => {
    expect(TYPES.filter(isAtRest)).toEqual(["SCHEDULED", "PAUSED", "SUCCESS", "FAILED", "CANCELLED"]);
  });
});

describe("how late a run is", () => {
  const due = "2026-11-22T06:00:00Z";
  const late = (minutes: number, name = "Scheduled", type = "SCHEDULED") =>
    lookOfRun({ state: { type, name }, scheduledTime: due }, Date.parse(due) + minutes * 60_000).word;

  it.each([
    [1, "Scheduled"],
    [1.01, "Late 1 min"],
    [99.9, "Late 99 min"],
    [100, "Late 1 h"],
    [60 * 47, "Late 47 h"],
    [60 * 48, "Late 2 d"],
    [60 * 24 * 10, "Late 10 d"],
  ])("after %d min it is %s", (minutes, word) => {
    expect(late(minutes)).toBe(word);
  });

  it("is said only of what waits for nothing but its time", () => {
    expect(late(60, "AwaitingRetry")).toBe("Retrying later");
    expect(late(60, "Paused")).toBe("Paused");
    expect(late(60, "Running", "RUNNING")).toBe("Running");
    expect(late(60, "Success", "SUCCESS")).toBe("Success");
    expect(late(-60)).toBe("Scheduled");
  });
});

describe("the next step", () => {
  it("is none that the run's state refuses", () => {
    for (const type of TYPES) {
      for (const name of ["Scheduled", "Paused", "Failed", "AwaitingRetry"]) {
        for (const attempt of [0, 1]) {
          const step = nextStepOf({ state: { type, name }, attempt, taskCounts: { failed: 1 } });
          if (step === "restart") expect(isTerminal(type) && attempt > 0).toBe(true);
          if (step === "resume") expect(isTerminal(type)).toBe(false);
        }
      }
    }
  });
});
