/** The model of a form made from the parameters' JSON schemas: kinds of fields, their texts, and their values. */

import { counted } from "./counted";
import { type Json, losesDigits, Numeral, numberOf, parseJson, printJson, repeatedKey } from "./json";
import { instantsOf, toLocalInput, withOffset } from "./local-time";

export type Schema = { [key: string]: unknown };

export interface Parameter {
  name: string;
  required: boolean;
  default: Json;
  schema: Schema;
}

export type Kind =
  | "text"
  | "integer"
  | "number"
  | "decimal"
  | "boolean"
  | "choice"
  | "date"
  | "datetime"
  | "time"
  | "json";

/** The text of a field whose value is the empty text, where a field without any text has no value. Nobody can type it. */
export const EMPTY = "\0";

export interface Field {
  name: string;
  kind: Kind;
  required: boolean;
  nullable: boolean;
  description: string;
  /** A choice's texts, each with its JSON value. */
  choices: { text: string; value: Json }[];
  schema: Schema;
  /** The field's text before any change. */
  initial: string;
  hasDefault: boolean;
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

export type Reading = { ok: true; value: Json } | { ok: false; error: string };

export function toField(parameter: Parameter): Field {
  const { schema, nullable } = resolve(parameter.schema);
  const kind = kindOf(schema);
  const hasDefault = !parameter.required;
  const field: Field = {
    name: parameter.name,
    kind,
    required: parameter.required,
    nullable:
      nullable ||
      (hasDefault && parameter.default === null) ||
      (Array.isArray(schema.enum) && schema.enum.includes(null)),
    description: typeof schema.description === "string" ? schema.description : "",
    choices: choicesOf(schema),
    schema,
    initial: "",
    hasDefault,
  };
  return { ...field, initial: hasDefault ? toText(field, parameter.default) : "" };
}

/** Follows a `$ref` into `$defs`, and removes `null` from a union of a type and null. */
function resolve(root: Schema): { schema: Schema; nullable: boolean } {
  let schema = dereference(root, root);
  const options = (schema.anyOf ?? schema.oneOf) as Schema[] | undefined;
  if (!Array.isArray(options)) {
    if (!Array.isArray(schema.type)) return { schema, nullable: false };
    const types = schema.type.filter((type) => type !== "null");
    const nullable = types.length < schema.type.length;
    return { schema: types.length === 1 ? { ...schema, type: types[0] } : { ...schema, type: undefined }, nullable };
  }
  const rest = options.filter((option) => option.type !== "null");
  const nullable = rest.length < options.length;
  const decimal = rest.find((option) => option.format === "decimal");
  const only = decimal ?? rest[0];
  if ((rest.length !== 1 && !decimal) || !only) return { schema: { ...schema, type: undefined }, nullable };
  const { anyOf: _any, oneOf: _one, ...outer } = schema;
  schema = { ...dereference(only, root), ...outer };
  return { schema, nullable };
}

function dereference(schema: Schema, root: Schema): Schema {
  const path = schema.$ref;
  if (typeof path !== "string" || !path.startsWith("#/")) return schema;
  let target: unknown = root;
  for (const part of path.slice(2).split("/")) target = (target as Schema | undefined)?.[part];
  const { $ref: _ref, ...rest } = schema;
  return { ...((target as Schema | undefined) ?? {}), ...rest };
}

function kindOf(schema: Schema): Kind {
  if (Array.isArray(schema.enum) || "const" in schema) return "choice";
  if (schema.type === "integer" || schema.type === "number" || schema.type === "boolean") return schema.type;
  if (schema.type === "string") {
    if (schema.format === "date" || schema.format === "time") return schema.format;
    if (schema.format === "decimal") return schema.format;
    return schema.format === "date-time" ? "datetime" : "text";
  }
  return "json";
}

/** Texts stand for themselves, unless one could be taken for another value or for none. */
function choicesOf(schema: Schema): { text: string; value: Json }[] {
  const all = Array.isArray(schema.enum) ? (schema.enum as Json[]) : "const" in schema ? [schema.const as Json] : [];
  const values = all.filter((value) => value !== null);
  const plain = values.map((value) => (typeof value === "string" ? value : printJson(value)));
  const isClear = new Set(plain).size === plain.length && !plain.includes("");
  return values.map((value, index) => ({ text: isClear ? (plain[index] ?? "") : printJson(value), value }));
}

/** Whether an empty field and the empty text are different values. */
export function tellsEmptyFromNone(field: Field): boolean {
  return field.kind === "text" && (field.nullable || field.required);
}

/** The text that a field shows for a value. */
export function toText(field: Field, value: Json): string {
  if (value === null && field.kind !== "json") return "";
  switch (field.kind) {
    case "text":
      return value === "" && tellsEmptyFromNone(field) ? EMPTY : plainText(value);
    case "datetime":
      return typeof value === "string" ? toLocalInput(value) : "";
    case "choice":
      return field.choices.find((one) => printJson(one.value) === printJson(value))?.text ?? plainText(value);
    case "json":
      return printJson(value, 2);
    default:
      return plainText(value);
  }
}

function plainText(value: Json): string {
  return typeof value === "string" ? value : printJson(value);
}

/** Parses a field's text: its value, or an error message. */
export function read(field: Field, text: string): Reading {
  if (text === EMPTY) return readText(field, "");
  const input = field.kind === "text" ? text : text.trim();
  if (input === "" && field.kind !== "text") {
    return field.nullable ? { ok: true, value: null } : { ok: false, error: "Enter a value." };
  }
  if (input === "" && field.nullable) return { ok: true, value: null };
  if (input === "" && field.required) return { ok: false, error: "Enter a value." };
  return readKind(field, input);
}

function readKind(field: Field, text: string): Reading {
  switch (field.kind) {
    case "integer":
      return /^[+-]?\d+$/.test(text) ? inRange(field, whole(text)) : { ok: false, error: "Enter a whole number." };
    case "number":
      return readNumber(field, text);
    case "decimal":
      return DECIMAL.test(text) ? { ok: true, value: text } : { ok: false, error: "Enter a number." };
    case "boolean":
      return { ok: true, value: text === "true" };
    case "choice": {
      const choice = field.choices.find((one) => one.text === text);
      return choice ? { ok: true, value: choice.value } : { ok: false, error: "Choose one of the values." };
    }
    case "datetime":
      return readTime(text);
    case "json":
      return readJson(field, text);
    default:
      return readText(field, text);
  }
}

/** The value of a whole number's text, which may have a plus sign and leading zeros. */
function whole(text: string): number | Numeral {
  return numberOf(BigInt(text.replace(/^\+/, "")).toString());
}

function readNumber(field: Field, text: string): Reading {
  const value = Number(text);
  if (!DECIMAL.test(text)) return { ok: false, error: "Enter a number." };
  if (!Number.isFinite(value)) return { ok: false, error: `${text} is too large; enter a number below 1.8e308.` };
  const isNegativeZero = Object.is(value, -0);
  if (/^[+-]?\d+$/.test(text) && !isNegativeZero) return inRange(field, whole(text));
  const digits = isNegativeZero ? "-0" : String(value);
  // With a point, because Python tells 1000.0 from 1000.
  return inRange(field, numberOf(/^-?\d+$/.test(digits) ? `${digits}.0` : digits));
}

const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(\.\d+)?(Z|[+-]\d\d:\d\d)?$/i;

/** A time with its offset as it is; without one, a time in the browser's zone. */
export function readTime(text: string): Reading {
  const [, day, clock, fraction = "", offset] = TIME.exec(text) ?? [];
  if (!day || Number.isNaN(Date.parse(text)))
    return { ok: false, error: "Enter a date and a time, such as 2026-01-31T06:30." };
  if (offset) return { ok: true, value: text };
  const [at, again] = instantsOf(`${day}T${clock}`);
  if (!at)
    return { ok: false, error: "This time does not exist: the clocks in your time zone skip it. Enter another." };
  if (again) {
    const [first, second] = [withOffset(at, fraction), withOffset(again, fraction)];
    return { ok: false, error: `This time occurs twice. Enter it as text: ${first} or ${second}.` };
  }
  return { ok: true, value: at.toISOString().replace(".000", fraction || ".000") };
}

function inRange(field: Field, value: number | Numeral): Reading {
  const at = magnitude(value);
  const bound = (name: string) => {
    const limit = field.schema[name] as number | Numeral | undefined;
    return limit === undefined ? undefined : magnitude(limit);
  };
  const [least, most] = [bound("minimum"), bound("maximum")];
  const [above, below] = [bound("exclusiveMinimum"), bound("exclusiveMaximum")];
  if (least !== undefined && at < least) return { ok: false, error: `Enter ${least} or more.` };
  if (most !== undefined && at > most) return { ok: false, error: `Enter ${most} or less.` };
  if (above !== undefined && at <= above) return { ok: false, error: `Enter more than ${above}.` };
  if (below !== undefined && at >= below) return { ok: false, error: `Enter less than ${below}.` };
  return { ok: true, value };
}

/** A number for comparisons, exact for whole ones. */
function magnitude(value: number | Numeral): number | bigint {
  return /^-?\d+$/.test(String(value)) ? BigInt(String(value)) : Number(value);
}

function readText(field: Field, text: string): Reading {
  const { minLength, maxLength, pattern } = field.schema as {
    minLength?: number;
    maxLength?: number;
    pattern?: string;
  };
  if (minLength !== undefined && text.length < minLength)
    return { ok: false, error: `Enter at least ${counted(minLength, "character")}.` };
  if (maxLength !== undefined && text.length > maxLength)
    return { ok: false, error: `Enter at most ${counted(maxLength, "character")}.` };
  if (pattern !== undefined && !new RegExp(pattern, "u").test(text))
    return { ok: false, error: `The value must match ${pattern}.` };
  return { ok: true, value: text };
}

function readJson(field: Field, text: string): Reading {
  let value: Json;
  try {
    value = parseJson(text);
  } catch {
    return { ok: false, error: 'Enter JSON, for example ["a", "b"] or {"key": 1}; strings need double quotes.' };
  }
  const repeated = repeatedKey(text);
  if (repeated !== null)
    return { ok: false, error: `The key ${repeated} occurs twice in one object; remove or rename one.` };
  const rounded = numeralsIn(value).find((one) => /\D/.test(one.text.replace(/^-/, "")) && losesDigits(one));
  if (rounded) {
    const what = Number.isFinite(Number(rounded)) ? "has more digits than JSON keeps" : "is too large for JSON";
    return { ok: false, error: `${rounded} ${what}; put it in double quotes.` };
  }
  if (field.schema.type === "array" && !Array.isArray(value)) return { ok: false, error: "Enter a list: [ ... ]." };
  if (
    field.schema.type === "object" &&
    (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Numeral)
  )
    return { ok: false, error: "Enter an object: { ... }." };
  return { ok: true, value };
}

function numeralsIn(value: Json): Numeral[] {
  if (value instanceof Numeral) return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(numeralsIn) : [];
}

/** Whether the field's value differs from the flow's default. */
export function isChanged(field: Field, text: string): boolean {
  return text !== field.initial;
}

/** The parameters to send (only those that differ from the defaults) and the errors by name. What was not edited is sent as it came. */
export function readAll(
  fields: readonly Field[],
  texts: Record<string, string>,
  values: Record<string, Json> = {},
): { parameters: Record<string, Json>; errors: Record<string, string> } {
  const parameters: Record<string, Json> = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const text = texts[field.name] ?? field.initial;
    if (field.hasDefault && !isChanged(field, text)) continue;
    const given = values[field.name];
    const isUntouched = given !== undefined && text === toText(field, given);
    const reading: Reading = isUntouched ? { ok: true, value: given } : read(field, text);
    if (reading.ok) parameters[field.name] = reading.value;
    else errors[field.name] = reading.error;
  }
  return { parameters, errors };
}

/** The equivalent command for a terminal. */
export function toCommand(flow: string, project: string, parameters: Record<string, Json>): string {
  const quote = (text: string) => (/^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
  const options = Object.entries(parameters).map(([name, value]) => `-p ${quote(`${name}=${printJson(value)}`)}`);
  return ["appliance run", quote(flow), "--project", quote(project), ...options].join(" ");
}
