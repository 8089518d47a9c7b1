import { describe, expect, it } from "vitest";
import { type Json, type Parameter, read, readAll, type Schema, toCommand, toField, toText } from "./form-model";

const parameter = (schema: Schema, rest: Partial<Parameter> = {}): Parameter => ({
  name: "x",
  required: true,
  default: null,
  schema,
  ...rest,
});

describe("kinds of fields", () => {
  it.each<[Schema, string]>([
    [{ type: "string" }, "text"],
    [{ type: "integer" }, "integer"],
    [{ type: "number" }, "number"],
    [{ type: "boolean" }, "boolean"],
    [{ enum: ["a", "b"] }, "choice"],
    [{ const: "a" }, "choice"],
    [{ type: "string", format: "date" }, "date"],
    [{ type: "string", format: "date-time" }, "datetime"],
    [{ type: "array" }, "json"],
    [{ type: "object" }, "json"],
    [{}, "json"],
    [{ anyOf: [{ type: "integer" }, { type: "null" }] }, "integer"],
    [{ anyOf: [{ type: "integer" }, { type: "string" }] }, "json"],
    [{ type: ["number", "null"] }, "number"],
    [{ $ref: "#/$defs/Mode", $defs: { Mode: { enum: ["full"] } } }, "choice"],
  ])("%j is %s", (schema, kind) => {
    expect(toField(parameter(schema)).kind).toBe(kind);
  });
});

describe("reading a text", () => {
  it.each<[Schema, string, Json]>([
    [{ type: "integer" }, " 42 ", 42],
    [{ type: "integer" }, "-3", -3],
    [{ type: "number" }, "1e3", 1000],
    [{ type: "boolean" }, "false", false],
    [{ enum: ["a", 2] }, "2", 2],
    [{ type: "array" }, '["a"]', ["a"]],
    [{ type: "object" }, '{"a": 1}', { a: 1 }],
    [{}, "null", null],
    [{ type: "string" }, " kept ", " kept "],
    [{ type: "string", format: "date" }, "2026-11-22", "2026-11-22"],
    [{ anyOf: [{ type: "integer" }, { type: "null" }] }, "", null],
  ])("%j of %j", (schema, text, value) => {
    expect(read(toField(parameter(schema)), text)).toEqual({ ok: true, value });
  });

  it.each<[Schema, string, RegExp]>([
    [{ type: "integer" }, "1.5", /whole number/],
    [{ type: "integer" }, "", /Enter a value/],
    [{ type: "string" }, "", /Enter a value/],
    [{ type: "number" }, "many", /number/],
    [{ type: "integer", minimum: 1 }, "0", /1 or more/],
    [{ type: "integer", maximum: 5 }, "6", /5 or less/],
    [{ type: "number", exclusiveMinimum: 0 }, "0", /more than 0/],
    [{ type: "string", minLength: 3 }, "ab", /at least 3/],
    [{ type: "string", pattern: "^a" }, "b", /must match/],
    [{ type: "array" }, "{}", /list/],
    [{ type: "object" }, "[]", /object/],
    [{}, "hello", /JSON/],
    [{ enum: ["a"] }, "b", /Choose/],
  ])("%j refuses %j", (schema, text, error) => {
    const reading = read(toField(parameter(schema)), text);
    expect(reading.ok ? "" : reading.error).toMatch(error);
  });

  it("a value and its text are the same thing", () => {
    const field = toField(parameter({ type: "string", format: "date-time" }));
    expect(read(field, toText(field, "2026-11-22T06:30:00Z"))).toEqual({ ok: true, value: "2026-11-22T06:30:00.000Z" });
  });
});

describe("the whole form", () => {
  const fields = [
    toField({ name: "region", required: true, default: null, schema: { type: "string" } }),
    toField({ name: "limit", required: false, default: 20, schema: { type: "integer" } }),
  ];

  it("sends only what differs from the defaults", () => {
    expect(readAll(fields, { region: "eu", limit: "20" })).toEqual({ parameters: { region: "eu" }, errors: {} });
    expect(readAll(fields, { region: "eu", limit: "21" }).parameters).toEqual({ region: "eu", limit: 21 });
  });

  it("names every error", () => {
    expect(Object.keys(readAll(fields, { region: "", limit: "x" }).errors)).toEqual(["region", "limit"]);
  });

  it("prints the same for a terminal", () => {
    expect(toCommand("my flow", "p", { region: "it's" })).toBe(
      `appliance run 'my flow' --project p -p 'region="it'\\''s"'`,
    );
  });
});
