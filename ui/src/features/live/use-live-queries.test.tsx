import { QueryClient, QueryClientProvider, type QueryKey, QueryObserver } from "@tanstack/react-query";
import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  flowKeys,
  flowRunKeys,
  jobKeys,
  limitKeys,
  peopleKeys,
  scheduleKeys,
  secretKeys,
  systemKeys,
  taskRunKeys,
} from "../../api/keys";
import { live } from "../../api/live";
import { run, state } from "../../test/builders";
import { FakeEventSource, fakeEventSource } from "../../test/event-source";
import { useLiveQueries } from "./use-live-queries";

const KEYS: Record<string, QueryKey> = {
  runs: flowRunKeys.list({}),
  run: flowRunKeys.one("run-1"),
  "other run": flowRunKeys.one("run-2"),
  "waiting run": flowRunKeys.one("run-3"),
  "what a restart runs": flowRunKeys.continuation("run-2", {}),
  tasks: taskRunKeys.ofRun("run-1"),
  counts: flowRunKeys.counts({}),
  flows: flowKeys.list(""),
  flow: flowKeys.one("flow-1"),
  skips: scheduleKeys.skips("schedule-1"),
  jobs: jobKeys.list,
  job: jobKeys.one("job-1"),
  limits: limitKeys.list,
  secrets: secretKeys.list,
  users: peopleKeys.users,
  tokens: peopleKeys.tokens,
  sessions: peopleKeys.sessions("user-1"),
  system: systemKeys.all,
};
const MOVED = ["counts", "flow", "flows", "runs", "waiting run"];

let queries: QueryClient;

/** The queries that are refetched after some changes, by their names above. */
async function afterChanges(...changes: { topic: string; id?: string; kind?: string }[]): Promise<string[]> {
  for (const { topic, id = "object-9", kind = `${topic}.changed` } of changes)
    act(() => FakeEventSource.latest.send("change", { topic, id, kind }));
  await act(() => vi.advanceTimersByTimeAsync(500));
  return Object.keys(KEYS)
    .filter((name) => queries.getQueryState(KEYS[name] as QueryKey)?.isInvalidated)
    .sort();
}

const setHeld = (held: boolean) => queries.setQueryData(systemKeys.all, { hold: { held } });

beforeEach(async () => {
  vi.useFakeTimers();
  fakeEventSource();
  live.start();
  FakeEventSource.latest.open();
  FakeEventSource.latest.send("heartbeat");
  queries = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  for (const key of Object.values(KEYS)) queries.setQueryData(key, {});
  queries.setQueryData(flowRunKeys.one("run-1"), run());
  queries.setQueryData(flowRunKeys.one("run-2"), run({ id: "run-2", state: state("RUNNING") }));
  queries.setQueryData(flowRunKeys.one("run-3"), run({ id: "run-3", state: state("SCHEDULED") }));
  setHeld(false);
  renderHook(useLiveQueries, {
    wrapper: ({ children }) => <QueryClientProvider client={queries}>{children}</QueryClientProvider>,
  });
});

afterEach(() => {
  live.stop();
  vi.useRealTimers();
});

describe("a change", () => {
  it("that arrives while its object is being asked for is not lost with the older answer", async () => {
    const answers: ((value: string) => void)[] = [];
    const query = new QueryObserver(queries, {
      queryKey: flowRunKeys.one("run-9"),
      queryFn: () => new Promise<string>((resolve) => answers.push(resolve)),
    });
    const leave = query.subscribe(() => {});
    await afterChanges({ topic: "flow_run", id: "run-9" }, { topic: "flow_run", id: "run-9" });
    expect(answers).toHaveLength(1);
    answers[0]?.("older");
    await act(() => vi.advanceTimersByTimeAsync(0));
    expect(answers).toHaveLength(2);
    answers[1]?.("newer");
    await act(() => vi.advanceTimersByTimeAsync(1_000));
    expect(answers).toHaveLength(2);
    expect(query.getCurrentResult().data).toBe("newer");
    leave();
  });

  it("of a run's state asks for it, its tasks, the lists, and for what waits", async () => {
    expect(await afterChanges({ topic: "flow_run", id: "run-1", kind: "flow_run.state" })).toEqual(
      [...MOVED, "limits", "run", "tasks"].sort(),
    );
  });

  it("of a run's progress asks for nothing else than this run and the lists that show it", async () => {
    expect(await afterChanges({ topic: "flow_run", id: "run-1", kind: "flow_run.progress" })).toEqual([
      "limits",
      "run",
      "runs",
      "tasks",
    ]);
  });

  it.each(["agent", "schedule"])("of %s may change why runs wait", async (topic) => {
    expect(await afterChanges({ topic })).toEqual(MOVED);
  });

  it("of a flow may also change who uses a secret", async () => {
    expect(await afterChanges({ topic: "flow" })).toEqual([...MOVED, "secrets"].sort());
  });

  it("of a secret asks for the secrets", async () => {
    expect(await afterChanges({ topic: "secret" })).toEqual(["secrets"]);
  });

  it("of a limit asks for the limits too", async () => {
    expect(await afterChanges({ topic: "concurrency" })).toEqual([...MOVED, "limits"].sort());
  });

  it("of a schedule asks for its missed times", async () => {
    expect(await afterChanges({ topic: "schedule", id: "schedule-1" })).toContain("skips");
  });

  it("of a job asks for it and for the list of jobs", async () => {
    expect(await afterChanges({ topic: "job", id: "job-1" })).toEqual(["job", "jobs"]);
  });

  it("of a user asks for people and what is theirs", async () => {
    expect(await afterChanges({ topic: "user" })).toEqual(["sessions", "tokens", "users"]);
  });

  it("of a token asks for the tokens", async () => {
    expect(await afterChanges({ topic: "token" })).toEqual(["tokens"]);
  });

  it.each(["hold", "maintenance"])("of %s asks for what concerns the whole appliance", async (topic) => {
    expect(await afterChanges({ topic })).toContain("system");
  });

  it("of any run counts the held ones again, while there are some", async () => {
    setHeld(true);
    expect(await afterChanges({ topic: "flow_run", id: "run-9" })).toContain("system");
  });

  it("without an id leaves lists of other nouns alone", async () => {
    expect(await afterChanges({ topic: "audit", id: "" })).toEqual([]);
  });

  it("of what is not known here asks for nothing", async () => {
    expect(await afterChanges({ topic: "audit", id: "9" })).toEqual([]);
  });
});

it("asks for everything after a gap", async () => {
  act(() => FakeEventSource.latest.fail());
  await act(() => vi.advanceTimersByTimeAsync(1_000));
  act(() => FakeEventSource.latest.open());
  await act(() => vi.advanceTimersByTimeAsync(500));
  expect(Object.values(KEYS).every((key) => queries.getQueryState(key)?.isInvalidated)).toBe(true);
});

it("asks once for a storm of changes", async () => {
  const invalidate = vi.spyOn(queries, "invalidateQueries");
  await afterChanges({ topic: "job", id: "job-1" });
  const once = invalidate.mock.calls.length;
  invalidate.mockClear();
  await afterChanges(...Array.from({ length: 50 }, () => ({ topic: "job", id: "job-1" })));
  expect(invalidate).toHaveBeenCalledTimes(once);
});
