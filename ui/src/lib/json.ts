/** JSON without loss: numbers that JavaScript would change, such as 9007199254740993 and 1.0, keep their digits. */

/** A number as it is written in JSON. */
export class Numeral {
  constructor(readonly text: string) {}

  valueOf(): number {
    return Number(this.text);
  }

  toString(): string {
    return this.text;
  }
}

export type Json = null | boolean | number | Numeral | string | Json[] | { [key: string]: Json };

/** Marks a number's digits for JavaScript's own parser and printer, which see a string; no document contains it by chance. */
const TAG = `numeral-${Math.random().toString(36).slice(2)}-`;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const TAGGED = new RegExp(`"${TAG}([^"]*)"`, "g");

/** The members of answers that hold documents of users. All other numbers are the appliance's own, and ordinary. */
const DOCUMENTS = ["parameters", "default", "schema", "document", "value", "code"];
const HAS_DOCUMENT = new RegExp(`"(?:${DOCUMENTS.join("|")})":`);

/** The JSON value of a number's text: a number if it prints the same, otherwise a numeral. */
export function numberOf(text: string): number | Numeral {
  return isExact(text) ? Number(text) : new Numeral(text);
}

/** Throws a SyntaxError for what is not JSON. */
export function parseJson(text: string): Json {
  const tagged = text.replace(TOKEN, (token) => (NUMBER.test(token) && !isExact(token) ? `"${TAG}${token}"` : token));
  return JSON.parse(tagged, (_, value: unknown) =>
    typeof value === "string" && value.startsWith(TAG) ? new Numeral(value.slice(TAG.length)) : value,
  ) as Json;
}

/** The first key that occurs twice in one object of a valid JSON text, as it is written there. */
export function repeatedKey(text: string): string | null {
  const objects: (Set<string> | null)[] = [];
  let last = "";
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === "{") objects.push(new Set());
    else if (token === "[") objects.push(null);
    else if (token === "}" || token === "]") objects.pop();
    else if (token === ":") {
      const keys = objects.at(-1);
      const key = JSON.parse(last) as string;
      if (keys?.has(key)) return last;
      keys?.add(key);
    }
    last = token;
  }
  return null;
}

export function printJson(value: unknown, indent?: number): string {
  const tagged = JSON.stringify(
    value,
    (_, one: unknown) => (one instanceof Numeral ? `${TAG}${one.text}` : one),
    indent,
  );
  return tagged.replace(TAGGED, "$1");
}

/** A server's answer: exact within users' documents, with ordinary numbers elsewhere. */
export function parseAnswer(text: string): unknown {
  return HAS_DOCUMENT.test(text) ? ordinary(parseJson(text)) : (JSON.parse(text) as unknown);
}

function ordinary(value: Json): Json {
  if (value instanceof Numeral) return Number(value.text);
  if (Array.isArray(value)) return value.map(ordinary);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, DOCUMENTS.includes(key) ? one : ordinary(one)]),
  );
}

function isExact(text: string): boolean {
  return String(Number(text)) === text;
}

/** Whether the server, which reads fractions as doubles, would round this number. */
export function losesDigits(numeral: Numeral): boolean {
  const value = Number(numeral.text);
  return normal(numeral.text) !== normal(Object.is(value, -0) ? "-0" : String(value));
}

/** The same text for the same decimal number: its sign and digits without zeros around them, and its exponent. */
function normal(text: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (!significant) return `${sign}0`;
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
