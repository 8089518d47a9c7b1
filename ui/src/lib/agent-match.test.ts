import { expect, it } from "vitest";
import { parseMatchSearch, printMatch, questionOf, viewOf } from "./agent-match";

it("is closed without a question in the URL", () => {
  expect(parseMatchSearch({ q: "gpu" }).test).toBeUndefined();
  expect(parseMatchSearch({ test: "1" }).test).toBe("1");
  expect(parseMatchSearch({ labels: "gpu" }).test).toBe("1");
});

it("comes from the URL, goes back there, and is asked as the server takes it", () => {
  const search = { test: "1", labels: "gpu,big data", project: "ops", kind: "docker", storage: "git" } as const;
  const view = viewOf(parseMatchSearch(search));
  expect(view.labels).toBe("gpu, big data");
  expect(printMatch(view)).toEqual(search);
  expect(questionOf(view)).toEqual({ labels: ["gpu", "big data"], project: "ops", kind: "docker", storage: "git" });
});

it("leaves out what any agent does", () => {
  const plain = { test: "1", labels: undefined, project: undefined, kind: undefined, storage: undefined };
  expect(printMatch({ labels: " , ", project: " ", kind: "universal", storage: "local" })).toEqual(plain);
  expect(printMatch({ labels: "", project: "", kind: "local", storage: "" }).kind).toBe("process");
  expect(questionOf(viewOf({}))).toEqual({ labels: [], project: null, kind: null, storage: null });
});
