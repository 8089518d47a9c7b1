import { describe, expect, it } from "vitest";
import {
  type Described,
  freeBlocks,
  inOrder,
  isShown,
  LATE_AFTER,
  listIn,
  lookOfAgent,
  parseAgentView,
  printAgentView,
  problemsOf,
  startCommand,
  stateOf,
  summaryOf,
  tokenCommand,
} from "./agents";

const NOW = "2026-11-22T06:00:00Z";

function agent(more: Partial<Described> = {}): Described {
  const plain = { name: "edge-01", type: "process", host: "north", version: "1.0", labels: [], projects: [] };
  return { ...plain, problems: [], health: "online", draining: false, lastSeen: NOW, running: 0, ...more };
}

function ago(ms: number): string {
  return new Date(Date.parse(NOW) - ms).toISOString();
}

describe("the state of an agent", () => {
  it("is late by the server's clock, before the server takes it for offline", () => {
    expect(stateOf({ health: "online", lastSeen: ago(LATE_AFTER) }, NOW)).toBe("online");
    expect(stateOf({ health: "online", lastSeen: ago(LATE_AFTER + 1) }, NOW)).toBe("late");
    expect(stateOf({ health: "draining", lastSeen: ago(LATE_AFTER + 1) }, NOW)).toBe("draining");
    expect(stateOf({ health: "offline", lastSeen: NOW }, NOW)).toBe("offline");
    expect(stateOf({ health: "a health of a later release", lastSeen: NOW }, NOW)).toBe("offline");
  });

  it("is bad news for an offline agent only while it has runs", () => {
    expect(lookOfAgent("offline", 0).family).toBe("neutral");
    expect(lookOfAgent("offline", 1).family).toBe("failed");
  });

  it("is summed up in words", () => {
    const agents = [agent(), agent({ health: "offline" }), agent(), agent({ health: "draining" })];
    expect(summaryOf(agents, NOW)).toBe("2 online, 1 draining, 1 offline");
    expect(summaryOf([], NOW)).toBe("");
  });

  it("does not change the order when another one is heard from", () => {
    const agents = [agent({ name: "c" }), agent({ name: "a", health: "offline" }), agent({ name: "b" })];
    expect(inOrder(agents).map(({ name }) => name)).toEqual(["b", "c", "a"]);
  });
});

describe("its problems", () => {
  it.each([
    ["none", {}, []],
    ["what it says itself", { problems: ["The disk is full; free it."] }, ["The disk is full; free it."]],
    ["lateness", { lastSeen: ago(60_000) }, ["It was last heard from 1 min ago"]],
    ["runs that nobody looks after", { health: "offline", running: 2 }, ["It still has 2 runs; start it again"]],
    ["another release", { version: "0.9" }, ["Its release is 0.9, the server's 1.0; install the same one."]],
    ["no release of one that is gone", { version: "0.9", health: "offline" }, []],
  ] as const)("%s", (_name, more, starts) => {
    const problems = problemsOf(agent(more), NOW, "1.0");
    expect(problems.map((problem, index) => problem.slice(0, starts[index]?.length))).toEqual(starts);
  });
});

describe("the view of the list", () => {
  it("comes from the URL and goes back there", () => {
    expect(printAgentView(parseAgentView({ show: "offline", q: "gpu" }))).toEqual({ show: "offline", q: "gpu" });
    expect(printAgentView(parseAgentView({ show: "nonsense" }))).toEqual({ show: undefined, q: undefined });
  });

  it("shows by state and by every word", () => {
    const shows = (one: Described, show: string, q = "") => isShown(one, parseAgentView({ show, q }), NOW, "1.0");
    expect(shows(agent({ labels: ["gpu"] }), "all", "GP north")).toBe(true);
    expect(shows(agent({ labels: ["gpu"] }), "all", "gpu south")).toBe(false);
    expect(shows(agent({ lastSeen: ago(60_000) }), "online")).toBe(true);
    expect(shows(agent({ lastSeen: ago(60_000) }), "problems")).toBe(true);
    expect(shows(agent(), "problems")).toBe(false);
    expect(shows(agent({ health: "offline", draining: true }), "draining")).toBe(true);
    expect(shows(agent({ health: "offline", draining: true }), "offline")).toBe(true);
  });
});

it("draws slots one by one while they can be counted", () => {
  expect(freeBlocks({ capacity: 4, running: 3 })).toBe(1);
  expect(freeBlocks({ capacity: 2, running: 3 })).toBe(0);
  expect(freeBlocks({ capacity: 17, running: 0 })).toBeNull();
  expect(freeBlocks({ capacity: 1, running: 17 })).toBeNull();
});

it("prints commands that a shell takes as they are meant", () => {
  const name = "it's one";
  const made = {
    kind: "process" as const,
    image: "",
    name,
    labels: listIn("gpu, big data ,gpu,"),
    projects: ["ops"],
    capacity: "16",
  };
  expect(startCommand(made, "https://host/prefix")).toBe(
    "APPLIANCE_URL=https://host/prefix APPLIANCE_TOKEN_FILE=it-s-one.token \\\n" +
      "  appliance agent start process --name 'it'\\''s one' --label gpu --label 'big data' --project ops --slots 16",
  );
  expect(startCommand({ ...made, labels: [], projects: [], capacity: "8" }, "https://host")).not.toContain("--slots");
  expect(startCommand({ ...made, kind: "docker", image: "etl:3" }, "https://host")).toContain(
    "appliance agent start docker --name 'it'\\''s one' --image etl:3 --label gpu",
  );
  expect(startCommand({ ...made, kind: "kubernetes", image: "etl:3" }, "https://host")).toContain(
    "appliance agent start kubernetes --name 'it'\\''s one' --image etl:3 --label gpu",
  );
  expect(tokenCommand("edge-01", "apl_agent_x")).toBe("(umask 077; echo apl_agent_x > edge-01.token)");
});
