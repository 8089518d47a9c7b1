import { expect, it } from "vitest";
import { parseMatchSearch, printMatch, questionOf, viewOf } from "./agent-match";

it("is closed without a question in the URL", () => {
  expect(parseMatchSearch({ q: "gpu" }).test).toBeUndefined();
  expect(parseMatchSearch({ test: "1" }).test).toBe("1");
  expect(parseMatchSearch({ labels: "gpu" }).test).toBe("1");
});

it("comes from the URL, goes back there, and is asked as the server takes it", () => {
  const search = {
    test: "1",
    labels: "gpu,big data",
    project: "ops",
    kind: "process",
    storage: "git",
    user: "etl",
    python: "3.12",
  } as const;
  const view = viewOf(parseMatchSearch(search));
  expect(view.labels).toBe("gpu, big data");
  expect(printMatch(view)).toEqual(search);
  const { test: _, ...asked } = search;
  expect(questionOf(view)).toEqual({ ...asked, labels: ["gpu", "big data"] });
});

it("leaves out what any agent does", () => {
  const any = viewOf({});
  expect(
    Object.values(printMatch({ ...any, labels: " , ", project: " ", kind: "universal", storage: "local" })),
  ).toEqual(["1", ...Array(6).fill(undefined)]);
  expect(printMatch({ ...any, kind: "local" }).kind).toBe("process");
  expect(questionOf(any)).toEqual({ labels: [], project: null, kind: null, storage: null, user: null, python: null });
});
