import { describe, expect, it } from "vitest";
import { repeat } from "../test/random";
import { losesDigits, Numeral, parseAnswer, parseJson, printJson, repeatedKey } from "./json";

const NUMBERS = [
  ...["0", "1", "-1", "1.5", "9007199254740991", "9007199254740993", "-123456789012345678901234567890"],
  ...[
    "1.0",
    "-0",
    "1e5",
    "1E+2",
    "5e-324",
    "0.1",
    "0.10",
    "0.1000000000000000000000001",
    "1e400",
    "18446744073709551616",
  ],
];

describe("a number", () => {
  it.each(NUMBERS)("%s keeps its digits", (text) => {
    for (const document of [text, `[${text}]`, `{"a":{"b":[${text},"${text}"]}}`])
      expect(printJson(parseJson(document))).toBe(document);
  });

  it("is an ordinary one where JavaScript prints it the same", () => {
    expect(parseJson("[1, 1.5, -3]")).toEqual([1, 1.5, -3]);
    expect(parseJson("1.0")).toEqual(new Numeral("1.0"));
  });

  it("in a text is text", () => {
    for (const text of ["1.0", '"1.0"', "\\\\", '\\"1.0', "a 9007199254740993 b", "é\n1.0"])
      expect(parseJson(JSON.stringify({ [text]: text }))).toEqual({ [text]: text });
  });

  it("compares by its value", () => {
    expect(Number(new Numeral("1.0"))).toBe(1);
    expect(new Numeral("10.0").valueOf() > 9).toBe(true);
  });
});

it("what JSON refuses is refused", () => {
  for (const text of ["", "01", "1.", ".5", "+1", "1.2.3", "1e", "--1", '{"a": 1.0,}', "[1.0", "NaN", "1.0 2.0"])
    expect(() => parseJson(text), text).toThrow(SyntaxError);
});

it("a key that occurs twice in one object is found", () => {
  for (const [text, key] of [
    ['{"a": 1, "a": 2}', '"a"'],
    ['[{"b": {"a": 1, "c": [], "\\u0061": 2}}]', '"\\u0061"'],
    ['{"a": {"a": 1}, "b": [{"a": 1}, {"a": ":"}]}', null],
    ['{"a": "a", "b": ["a", "{", "a"]}', null],
    ['"a"', null],
  ] as const)
    expect(repeatedKey(text), text).toBe(key);
});

it("any document comes back as it was", () => {
  repeat(200, (random) => {
    const value = { n: random.pick(NUMBERS), list: random.some(NUMBERS), text: random.pick(NUMBERS) };
    const document = `{"n":${value.n},"list":[${value.list.join(",")}],"text":"${value.text}"}`;
    expect(printJson(parseJson(document))).toBe(document);
  });
});

it("an indented document has its digits too", () => {
  expect(printJson(parseJson('{"a":[1.0]}'), 2)).toBe('{\n  "a": [\n    1.0\n  ]\n}');
});

describe("an answer", () => {
  it("is exact within users' documents, and has ordinary numbers elsewhere", () => {
    const answer = parseAnswer(
      '{"data":{"duration":12.0,"flowRun":{"parameters":{"id":9007199254740993,"rate":1.0},"total":3.0}}}',
    );
    expect(answer).toEqual({
      data: {
        duration: 12,
        flowRun: { parameters: { id: new Numeral("9007199254740993"), rate: new Numeral("1.0") }, total: 3 },
      },
    });
  });

  it("without any is read as ever", () => {
    expect(parseAnswer('{"data":{"duration":12.0}}')).toEqual({ data: { duration: 12 } });
  });
});

describe("a fraction's digits", () => {
  it.each(["0.1000000000000000000000001", "12345678901234567.5", "1e400", "0.30000000000000000001"])(
    "%s are lost to a double",
    (text) => {
      expect(losesDigits(new Numeral(text))).toBe(true);
    },
  );

  it.each(["1.0", "0.10", "1E+2", "1e5", "5e-324", "-0.0", "1.7976931348623157e308", "100e-2"])(
    "%s are kept",
    (text) => {
      expect(losesDigits(new Numeral(text))).toBe(false);
    },
  );
});
