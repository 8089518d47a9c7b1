import { describe, expect, it } from "vitest";
import { acts, draftOf, EVENTS, eventWords, inputOf, kindsFor, missing, NEW, SUBJECTS } from "./automations";

const HOOK = { ...NEW, name: " etl ", url: " https://hooks.example.org " };

describe("the form of an automation", () => {
  it("becomes what the server takes", () => {
    expect(inputOf({ ...HOOK, atMost: "3", per: "900" })).toMatchObject({
      name: "etl",
      atMost: 3,
      per: 900,
      action: { kind: "WEBHOOK", url: "https://hooks.example.org", to: [] },
    });
    const mail = inputOf({ ...HOOK, kind: "EMAIL", secret: "a/b", to: "a@example.org; b@example.org" });
    expect(mail.action).toEqual({
      kind: "EMAIL",
      url: "",
      secret: "",
      to: ["a@example.org", "b@example.org"],
      text: "",
      flow: "",
      parameters: {},
      labels: null,
      runName: "",
      tag: "",
      slots: null,
    });
  });

  it("comes back as it was", () => {
    const input = inputOf({ ...HOOK, subject: "agent", events: ["agent.lost"], q: "agent:edge-*" });
    expect(inputOf(draftOf(input))).toEqual(input);
    expect(draftOf(input).subject).toBe("agent");
  });

  it.each([
    [{ ...HOOK, name: " " }, "name"],
    [{ ...HOOK, events: [] }, "happen"],
    [{ ...HOOK, url: "" }, "URL"],
    [{ ...HOOK, kind: "EMAIL" as const }, "address"],
    [{ ...HOOK, kind: "PAGERDUTY" as const, url: "" }, "routing key"],
    [{ ...HOOK, atMost: "often" }, "whole number"],
  ])("says what is missing", (draft, word) => {
    expect(missing(draft)).toContain(word);
  });

  it("needs no URL where a secret holds it", () => {
    expect(missing({ ...HOOK, kind: "SLACK", url: "", secret: "default/CHAT" })).toBe("");
    expect(missing(HOOK)).toBe("");
  });

  const START = { ...HOOK, kind: "START" as const, flow: " demo/repair ", parameters: '{"n": 2}', atMost: "3" };

  it("sends of an action that changes something only what is its own", () => {
    const { action } = inputOf({ ...START, labels: "a, b", runName: "after {run}", tag: "db", slots: "2" });
    expect(action).toMatchObject({
      url: "",
      secret: "",
      flow: "demo/repair",
      parameters: { n: 2 },
      tag: "",
      slots: null,
    });
    expect(action).toMatchObject({ labels: ["a", "b"], runName: "after {run}" });
    expect(inputOf({ ...START, kind: "SET_LIMIT", tag: "db", slots: "0" }).action).toMatchObject({
      flow: "",
      parameters: {},
      tag: "db",
      slots: 0,
    });
    expect(inputOf(draftOf(inputOf(START)))).toEqual(inputOf(START));
  });

  it.each([
    [{ ...START, flow: "repair" }, "project/NAME"],
    [{ ...START, parameters: "{" }, "Parameters"],
    [{ ...START, atMost: "" }, "bound"],
    [{ ...START, kind: "RESTART" as const, events: ["run.failed", "run.late"] }, "has ended"],
    [{ ...START, kind: "CANCEL" as const }, "waits"],
    [{ ...START, kind: "SET_LIMIT" as const }, "tag"],
    [{ ...START, kind: "SET_LIMIT" as const, tag: "db" }, "slots"],
  ])("says what is missing to change something", (draft, word) => {
    expect(missing(draft)).toContain(word);
    expect(missing(START)).toBe("");
  });

  it("offers what can be done about each kind of thing", () => {
    const does = (subject: "run" | "schedule" | "agent") =>
      kindsFor(subject)
        .map(({ value }) => value)
        .filter(acts);
    expect(does("agent")).toEqual(["START", "SET_LIMIT"]);
    expect(does("schedule")).toEqual(["PAUSE_SCHEDULE", "PAUSE_FLOW", "START", "SET_LIMIT"]);
    expect(does("run")).toHaveLength(6);
  });

  it("has a subject for every event", () => {
    const events = Object.entries(EVENTS).flatMap(([subject, list]) => list.map(([event]) => [subject, event]));
    for (const [subject, event] of events) expect(event?.split(".")[0]).toBe(subject);
    expect(SUBJECTS.map(({ value }) => value)).toEqual(Object.keys(EVENTS));
    expect(missing({ ...START, kind: "CANCEL", events: ["run.no_slot", "run.no_agent"] })).toBe("");
  });

  it("has words for events", () => {
    expect(eventWords("run.timed_out")).toBe("run times out");
    expect(eventWords("new.one")).toBe("new.one");
  });
});
