import { QueryClient, QueryClientProvider, type QueryKey, QueryObserver } from "@tanstack/react-query";
import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RunRow } from "../../api/flow-runs";
import {
  flowKeys,
  flowRunKeys,
  homeKeys,
  jobKeys,
  limitKeys,
  peopleKeys,
  scheduleKeys,
  secretKeys,
  systemKeys,
  taskRunKeys,
} from "../../api/keys";
import { live } from "../../api/live";
import { run, runRow, state } from "../../test/builders";
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
  home: homeKeys.all,
  users: peopleKeys.users,
  tokens: peopleKeys.tokens,
  sessions: peopleKeys.sessions("user-1"),
  system: systemKeys.all,
};
const MOVED = ["counts", "flow", "flows", "home", "runs", "waiting run"];

let queries: QueryClient;

/** The queries that are refetched after some changes, by their names above. */
async function afterChanges(...changes: { topic: string; id?: string; kind?: string }[]): Promise<string[]> {
  for (const { topic, id = "object-9", kind = `${topic}.changed` } of changes)
    act(() => FakeEventSource.latest.tell([{ topic, id, kind }]));
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
    await act(() => vi.advanceTimersByTimeAsync(1_000));
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
  act(() => FakeEventSource.latest.send("gap", {}, "9"));
  await act(() => vi.advanceTimersByTimeAsync(500));
  expect(Object.values(KEYS).every((key) => queries.getQueryState(key)?.isInvalidated)).toBe(true);
});

describe("what is on screen", () => {
  const page = (items: unknown[]) => ({ pages: [{ items, next: null, total: items.length, totalCapped: false }] });
  const answer = vi.fn(async () => page([]));
  const row = (version: number, type: string) => runRow({ state: { ...state(type), version } });

  /** A list of runs that a page shows, which has just been asked for. */
  function shown(filter: object) {
    const queryKey = flowRunKeys.list(filter);
    queries.setQueryData(queryKey, page([row(1, "RUNNING")]));
    const query = new QueryObserver(queries, { queryKey, queryFn: answer });
    query.subscribe(() => {});
    answer.mockClear();
    return query;
  }
  const tell = async (run: RunRow, kind = "flow_run.state") => {
    act(() => FakeEventSource.latest.tell([{ topic: "flow_run", id: run.id, kind }], [run]));
    await act(() => vi.advanceTimersByTimeAsync(500));
  };

  it("is patched without a question", async () => {
    const list = shown({});
    await tell(row(2, "SUCCESS"));
    await tell(runRow({ id: "run-8" }));
    expect(list.getCurrentResult().data).toMatchObject({
      pages: [{ items: [{ id: "run-8" }, { id: "run-1", state: { type: "SUCCESS" } }], total: 2 }],
    });
    expect(answer).not.toHaveBeenCalled();
  });

  it("is asked for at its pace when only the server knows what belongs to it", async () => {
    shown({ q: "flow:etl" });
    for (let id = 0; id < 9; id += 1) await tell(runRow({ id: `new-${id}` }));
    expect(answer).not.toHaveBeenCalled();
    await act(() => vi.advanceTimersByTimeAsync(1_000));
    expect(answer).toHaveBeenCalledTimes(1);
  });

  it("shows the progress of a run without a question, and asks for it when its state is another", async () => {
    const known = run({ state: { ...state("RUNNING"), version: 2 } });
    const ask = vi.fn(async () => known);
    queries.setQueryData(flowRunKeys.one("run-1"), known);
    const query = new QueryObserver(queries, { queryKey: flowRunKeys.one("run-1"), queryFn: ask });
    query.subscribe(() => {});
    const taskCounts = { total: 9, success: 4, failed: 0, running: 5, waiting: 0, other: 0 };
    await tell({ ...row(2, "RUNNING"), taskCounts }, "flow_run.progress");
    await act(() => vi.advanceTimersByTimeAsync(9_000));
    expect(query.getCurrentResult().data).toMatchObject({ taskCounts });
    expect(ask).not.toHaveBeenCalled();
    await tell(row(3, "SUCCESS"));
    expect(ask).toHaveBeenCalledTimes(1);
  });
});

it("asks once for a storm of changes", async () => {
  const invalidate = vi.spyOn(queries, "invalidateQueries");
  await afterChanges({ topic: "job", id: "job-1" });
  const once = invalidate.mock.calls.length;
  invalidate.mockClear();
  await afterChanges(...Array.from({ length: 50 }, () => ({ topic: "job", id: "job-1" })));
  expect(invalidate).toHaveBeenCalledTimes(once);
});
