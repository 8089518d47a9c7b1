import { describe, expect, it } from "vitest";
import { type Random, repeat } from "../test/random";
import { EMPTY, isChanged, type Parameter, read, readAll, type Schema, toCommand, toField, toText } from "./form-model";
import { type Json, Numeral, parseJson, printJson } from "./json";
import { instantsOf, isLocal, toLocalInput, wall, withOffset } from "./local-time";

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
    [{ type: "number" }, "1.5e-3", 0.0015],
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

describe("a value and its text", () => {
  const samples: [Schema, (random: Random) => Json][] = [
    [{ type: "integer" }, (random) => random.integer(-1_000_000, 1_000_000)],
    [{ type: "number" }, (random) => (random.next() - 0.5) * 10 ** random.integer(-8, 8)],
    [{ type: "boolean" }, (random) => random.boolean()],
    [{ type: "string" }, (random) => random.pick(["a", " a ", "é", '"', "null", "1", "a\tb"])],
    [{ enum: ["a", "1", "true"] }, (random) => random.pick(["a", "1", "true"])],
    [{ enum: [1, 2.5, true, null] }, (random) => random.pick([1, 2.5, true])],
    [{ type: "string", format: "date" }, () => "2026-11-22"],
    [{ type: "string", format: "time" }, () => "06:30:00"],
    [
      { type: "string", format: "date-time" },
      (random) => new Date(random.integer(0, 2_000_000_000) * 1_000).toISOString(),
    ],
    [{ type: "array" }, (random) => random.some([1, "a", null, { b: [true] }])],
    [{ type: "object" }, (random) => ({ a: random.integer(0, 9), b: { c: null } })],
    [{}, (random) => random.pick<Json>([null, 0, "", "text", [], {}, false])],
  ];

  it.each(samples)("of %j are the same thing", (schema, value) => {
    const field = toField(parameter(schema));
    repeat(30, (random) => {
      const original = value(random);
      expect(read(field, toText(field, original))).toEqual({ ok: true, value: original });
    });
  });

  it.each(samples)("of %j: a default that nobody touched is not sent", (schema, value) => {
    repeat(30, (random) => {
      const field = toField(parameter(schema, { required: false, default: value(random) }));
      expect(isChanged(field, field.initial)).toBe(false);
      expect(readAll([field], {})).toEqual({ parameters: {}, errors: {} });
    });
  });
});

/** Schemas, each with values that are easily taken for one another or cut on the way. */
const EXACT: [Schema, string[]][] = [
  [{ type: "integer" }, ["9007199254740993", "-123456789012345678901234567890", "1"]],
  [{ type: "number" }, ["1.0", "1", "0.1", "9007199254740993"]],
  [{ type: "string" }, ['""', '"a"', '" "', '"1"', '"null"', '"two\\nlines"']],
  [{ anyOf: [{ type: "string" }, { type: "null" }] }, ['""', "null", '"null"', '"a"']],
  [{ enum: ["1", 1, "", null, "null", true, "true"] }, ['"1"', "1", '""', "null", '"null"', "true", '"true"']],
  [{ enum: [1, 1.5] }, ["1", "1.5"]],
  [{ anyOf: [{ type: "integer" }, { type: "number" }] }, ["1", "1.0"]],
  [
    { anyOf: [{ type: "number" }, { type: "string", format: "decimal" }] },
    ['"0.10"', '"123456789.123456789012345678901"'],
  ],
  [
    { type: "string", format: "date-time" },
    [
      '"2026-10-25T00:30:00.123456Z"',
      '"2026-10-25T02:30:00+02:00"',
      '"2026-10-25T02:30:00+01:00"',
      '"2026-01-31T06:30:00"',
    ],
  ],
  [{ type: "string", format: "time" }, ['"06:30:00.123456"', '"06:30"']],
  [{}, ["9007199254740993", "1.0", "1", '"1"', '""', "null", '{"a":[1.0,"1"]}']],
];

describe.each(EXACT)("a value of %j", (schema, values) => {
  const exact = (text: string) => printJson(parseJson(text));
  const other = parameter(schema, { required: false, default: "of the flow" });

  it("that nobody edits is sent as it came", () => {
    for (const text of values) {
      const value = parseJson(text);
      const field = toField(parameter(schema));
      const { parameters } = readAll([field], { x: toText(field, value) }, { x: value });
      expect(printJson(parameters.x)).toBe(exact(text));
      expect(
        printJson(readAll([toField(other)], { x: toText(toField(other), value) }, { x: value }).parameters.x),
      ).toBe(exact(text));
    }
  });

  it("has a text of its own", () => {
    const field = toField(parameter(schema));
    const texts = values.map((text) => toText(field, parseJson(text)));
    expect(new Set(texts).size).toBe(values.length);
  });
});

describe("typing a value", () => {
  const sent = (schema: Schema, text: string) => {
    const reading = read(toField(parameter(schema)), text);
    return reading.ok ? printJson(reading.value) : reading.error;
  };
  const decimal = { anyOf: [{ type: "number" }, { type: "string", format: "decimal" }] };

  it.each<[Schema, string, string]>([
    [{ type: "integer" }, "9007199254740993", "9007199254740993"],
    [{ type: "integer" }, "+007", "7"],
    [{ type: "integer", minimum: new Numeral("9007199254740993") }, "9007199254740995", "9007199254740995"],
    [{ type: "number" }, "1.0", "1.0"],
    [{ type: "number" }, "1e3", "1000.0"],
    [{ type: "number" }, "1e22", "1e+22"],
    [{ type: "number" }, "1.7976931348623157e308", "1.7976931348623157e+308"],
    [{ type: "number" }, "0", "0"],
    ...["-0", "-0.0", "-.0", "-0e0", "-1e-400"].map((text): [Schema, string, string] => [
      { type: "number" },
      text,
      "-0.0",
    ]),
    [{ type: "number" }, "1e309", "1e309 is too large; enter a number below 1.8e308."],
    [{ type: "number" }, "0x10", "Enter a number."],
    [{ type: "number" }, "-9007199254740993", "-9007199254740993"],
    [decimal, "0.1000000000000000000000001", '"0.1000000000000000000000001"'],
    [decimal, "many", "Enter a number."],
    [{ type: "string" }, EMPTY, '""'],
    [{ type: "string", minLength: 1 }, EMPTY, "Enter at least 1 character."],
    [{ anyOf: [{ type: "string" }, { type: "null" }] }, EMPTY, '""'],
    [{ anyOf: [{ type: "string" }, { type: "null" }] }, "", "null"],
    [{ enum: ["1", 1] }, "1", "1"],
    [{ enum: ["1", 1] }, '"1"', '"1"'],
    [{ enum: ["a", null] }, "", "null"],
    [{ type: "string", format: "date-time" }, "2026-10-25T02:30:00.123456+01:00", '"2026-10-25T02:30:00.123456+01:00"'],
    [{}, '{"a": 1.0, "b": 9007199254740993}', '{"a":1.0,"b":9007199254740993}'],
    [
      {},
      "[0.1000000000000000000000001]",
      "0.1000000000000000000000001 has more digits than JSON keeps; put it in double quotes.",
    ],
    [{}, "[1e400]", "1e400 is too large for JSON; put it in double quotes."],
    [{ type: "object" }, "1.0", "Enter an object: { ... }."],
  ])("%j: %j", (schema, text, value) => {
    expect(sent(schema, text)).toBe(value);
  });
});

describe("a time when the clocks in this zone (vite.config.ts) go back or forward", () => {
  const field = toField(parameter({ type: "string", format: "date-time" }));

  it("is shown with its offset, as the picker can't tell the two apart", () => {
    for (const text of ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]) {
      expect(toText(field, text)).toBe(text);
      expect(isLocal(toText(field, text))).toBe(false);
    }
    expect(toText(field, "2026-10-25T03:30:00+01:00")).toBe("2026-10-25T03:30:00");
  });

  it("occurs twice, and the offset says which is meant", () => {
    expect(instantsOf("2026-10-25T02:30").map((at) => withOffset(at))).toEqual([
      "2026-10-25T02:30:00+02:00",
      "2026-10-25T02:30:00+01:00",
    ]);
    expect(read(field, "2026-10-25T02:30")).toMatchObject({
      error: "This time occurs twice. Enter it as text: 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00.",
    });
  });

  it("may have a fraction of a second, with or without an offset", () => {
    const error =
      "This time occurs twice. Enter it as text: 2026-10-25T02:30:00.123456+02:00 or 2026-10-25T02:30:00.123456+01:00.";
    expect(read(field, "2026-10-25T02:30:00.123456")).toEqual({ ok: false, error });
    expect(read(field, "2026-01-31 06:30:00.123456")).toEqual({ ok: true, value: "2026-01-31T05:30:00.123456Z" });
    for (const text of ["2026-01-31", "31.1.2026 06:30", "2026-13-31T06:30"])
      expect(read(field, text)).toMatchObject({ error: "Enter a date and a time, such as 2026-01-31T06:30." });
  });

  it("or never", () => {
    expect(read(field, "2026-03-29T02:30")).toMatchObject({ error: expect.stringContaining("does not exist") });
  });
});

describe("nothing as a value", () => {
  it.each<[Schema]>([[{ type: "integer" }], [{ type: "boolean" }], [{ enum: ["a"] }], [{ type: "array" }]])(
    "%j takes it only where null is allowed",
    (schema) => {
      expect(read(toField(parameter(schema)), "").ok).toBe(false);
      const nullable = toField(parameter({ anyOf: [schema, { type: "null" }] }));
      expect(read(nullable, "")).toEqual({ ok: true, value: null });
    },
  );

  it("is allowed where it is the default", () => {
    const field = toField(parameter({ type: "integer" }, { required: false, default: null }));
    expect(field.nullable).toBe(true);
    expect(field.initial).toBe("");
    expect(read(field, "")).toEqual({ ok: true, value: null });
  });

  it("is an empty text where a text is not required", () => {
    const field = toField(parameter({ type: "string" }, { required: false, default: "x" }));
    expect(read(field, "")).toEqual({ ok: true, value: "" });
  });
});

describe("a schema that refers", () => {
  it("is followed into its definitions, and its own words win", () => {
    const field = toField(
      parameter({
        $ref: "#/$defs/Mode",
        description: "Which mode.",
        $defs: { Mode: { enum: ["full", "quick"], description: "A mode." } },
      }),
    );
    expect(field.choices.map((choice) => choice.text)).toEqual(["full", "quick"]);
    expect(field.description).toBe("Which mode.");
  });

  it("may do so inside of a union with null", () => {
    const field = toField(
      parameter({ anyOf: [{ $ref: "#/$defs/Mode" }, { type: "null" }], $defs: { Mode: { enum: ["full"] } } }),
    );
    expect([field.kind, field.nullable]).toEqual(["choice", true]);
  });

  it.each(["#/$defs/Gone", "https://elsewhere.example/schema", ""])(
    "to %j leads nowhere, and any JSON is taken",
    ($ref) => {
      expect(toField(parameter({ $ref })).kind).toBe("json");
    },
  );
});

describe("the bounds of a value", () => {
  const reads = (schema: Schema, text: string) => read(toField(parameter(schema)), text).ok;

  it.each<[Schema, string[], string[]]>([
    [{ type: "integer", minimum: 1, maximum: 3 }, ["1", "2", "3"], ["0", "4"]],
    [{ type: "number", exclusiveMinimum: 1, exclusiveMaximum: 3 }, ["1.001", "2.999"], ["1", "3"]],
    [{ type: "string", minLength: 2, maxLength: 3 }, ["ab", "abc"], ["a", "abcd"]],
    [{ type: "string", pattern: "^[a-z]+$" }, ["abc"], ["Abc", "a1"]],
    [{ type: "array" }, ["[]", " [1] "], ["{}", "null", "1"]],
    [{ type: "object" }, ["{}"], ["[]", "null", '"a"']],
    [{ type: "integer" }, ["+3", "-3", "007"], ["3.0", "1e3", "3 4", "١"]],
    [{ type: "number" }, ["3", ".5", "1e3"], ["1,5", "1.5.1", "Infinity", "NaN"]],
  ])("%j", (schema, accepted, refused) => {
    for (const text of accepted) expect(reads(schema, text), text).toBe(true);
    for (const text of refused) expect(reads(schema, text), text).toBe(false);
  });

  it("are said with what to do", () => {
    const error = (schema: Schema, text: string) => {
      const reading = read(toField(parameter(schema)), text);
      return reading.ok ? "" : reading.error;
    };
    expect(error({ type: "integer", maximum: 3 }, "4")).toBe("Enter 3 or less.");
    expect(error({ type: "number", exclusiveMaximum: 3 }, "3")).toBe("Enter less than 3.");
    expect(error({ type: "string", maxLength: 3 }, "abcd")).toBe("Enter at most 3 characters.");
  });
});

describe("a time in this browser's zone", () => {
  it("is the same instant to the second, whatever the zone is", () => {
    repeat(200, (random) => {
      const at = new Date(random.integer(0, 2_000_000_000) * 1_000);
      const text = toLocalInput(at.toISOString());
      if (instantsOf(wall(at)).length === 1) expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
      expect(new Date(text).getTime()).toBe(at.getTime());
    });
  });

  it("stays as it is where it is none, so that a person sees what is wrong", () => {
    expect(toLocalInput("tomorrow")).toBe("tomorrow");
    const field = toField(parameter({ type: "string", format: "date-time" }));
    expect(read(field, "tomorrow")).toMatchObject({ ok: false });
  });
});

/** The words of a command as a POSIX shell reads them. */
function shellWords(command: string): string[] {
  const words: string[] = [];
  for (const [word] of command.matchAll(/(?:'[^']*'|\\.|[^\s'\\])+/g))
    words.push(word.replace(/'([^']*)'|\\(.)/g, (_, quoted: string | undefined, escaped: string) => quoted ?? escaped));
  return words;
}

describe("the same as a command", () => {
  it("is read by a shell as it is meant", () => {
    repeat(200, (random) => {
      const nasty = ["it's", "a b", "$HOME", "`id`", '"', "\\", "'; rm -rf /; '", "*", "ü", "", "-x", "'"];
      const flow = random.pick(nasty.filter(Boolean));
      const parameters = { text: random.pick(nasty), list: random.some(nasty), number: random.integer(-5, 5) };
      const words = shellWords(toCommand(flow, "main", parameters));
      expect(words.slice(0, 5)).toEqual(["appliance", "run", flow, "--project", "main"]);
      const values = words.slice(5).filter((word) => word !== "-p");
      expect(values.map((value) => JSON.parse(value.slice(value.indexOf("=") + 1)))).toEqual(Object.values(parameters));
      expect(values.map((value) => value.slice(0, value.indexOf("=")))).toEqual(Object.keys(parameters));
    });
  });

  it("is plain where nothing needs quotes", () => {
    expect(toCommand("etl", "main", { limit: 3 })).toBe("appliance run etl --project main -p limit=3");
    expect(toCommand("etl", "main", {})).toBe("appliance run etl --project main");
  });
});
