/** Rules of this house that the linter has no words for; each is shown to find what it looks for. */

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = "src";
const sources = readdirSync(ROOT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/\.test\.tsx?$/.test(entry.name))
  .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
  .filter((path) => !path.startsWith("test/"));

interface Rule {
  name: string;
  pattern: RegExp;
  /** Where it may stand. */
  home: string[];
  sample: string;
}

const RULES: Rule[] = [
  {
    name: "query keys are made in one place",
    pattern: /queryKey:\s*\[|setQueryData\(\s*\[|getQueryData(?:<[^>]*>)?\(\s*\[/,
    home: ["api/keys.ts"],
    sample: 'client.invalidateQueries({ queryKey: ["runs"] })',
  },
  {
    name: "the browser's fetch has one caller",
    pattern: /\bfetch\(/,
    home: ["api/http.ts"],
    sample: 'await fetch("/api/v1/info")',
  },
  {
    name: "requests go by GraphQL, except those about people, for the content of artifacts, of the session, of the live stream and for the documentation",
    pattern: /import[^;]*\brequest\b[^;]*from "[^"]*\/http"/,
    home: ["api/artifacts.ts", "api/docs.ts", "api/graphql.ts", "api/live.ts", "api/people.ts", "api/session.ts"],
    sample: 'import { ApiError, request } from "../api/http";',
  },
  {
    name: "REST is only for people and the content of artifacts, which GraphQL doesn't know, and for whether the server and the session are there",
    pattern:
      /(?<![.\w])request(?:<[^(]*>)?\(\s*(?!"GET", "(?:\/api\/v1\/(?:info|me)|\/docs\/search\/search_index\.json)"|"POST", "(?:\/graphql|\/api\/v1\/(?:login|logout|password|setup))")/,
    home: ["api/artifacts.ts", "api/http.ts", "api/people.ts"],
    sample: 'request<Limit>("PUT", "/api/v1/concurrency-limits", limit)',
  },
  {
    name: "JSON is read and printed without loss",
    pattern: /\bJSON\.(?:parse|stringify)\(/,
    home: ["lib/json.ts", "api/live.ts", "api/session.ts"],
    sample: "JSON.stringify(run.parameters, null, 2)",
  },
  {
    name: "a style sheet belongs to its folder, or is one of the parts in ui",
    pattern: /import "(?!\.\/|(?:\.\.\/)+ui\/)[^"]*\.css"/,
    home: [],
    sample: 'import "../limits/limits.css";',
  },
];

describe.each(RULES)("$name", ({ pattern, home, sample }) => {
  it("in every source", () => {
    const offenders = sources.filter(
      (path) => !home.includes(path) && pattern.test(readFileSync(join(ROOT, path), "utf8")),
    );
    expect(offenders).toEqual([]);
  });

  it("and where it doesn't, this is seen", () => {
    expect(sample).toMatch(pattern);
  });
});
