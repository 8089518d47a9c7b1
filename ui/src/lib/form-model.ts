/** The model of a form made from the parameters' JSON schemas: kinds of fields, their texts, and their values. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Schema = { [key: string]: unknown };

export interface Parameter {
  name: string;
  required: boolean;
  default: Json;
  schema: Schema;
}

export type Kind = "text" | "integer" | "number" | "boolean" | "choice" | "date" | "datetime" | "time" | "json";

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

export type Reading = { ok: true; value: Json } | { ok: false; error: string };

export function toField(parameter: Parameter): Field {
  const { schema, nullable } = resolve(parameter.schema);
  const kind = kindOf(schema);
  const hasDefault = !parameter.required;
  const field: Field = {
    name: parameter.name,
    kind,
    required: parameter.required,
    nullable: nullable || (hasDefault && parameter.default === null),
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
  const only = rest[0];
  if (rest.length !== 1 || !only) return { schema: { ...schema, type: undefined }, nullable };
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
    return schema.format === "date-time" ? "datetime" : "text";
  }
  return "json";
}

function choicesOf(schema: Schema): { text: string; value: Json }[] {
  const values = Array.isArray(schema.enum) ? (schema.enum as Json[]) : "const" in schema ? [schema.const as Json] : [];
  return values.map((value) => ({ text: typeof value === "string" ? value : JSON.stringify(value), value }));
}

/** The text that a field shows for a value. */
export function toText(field: Field, value: Json): string {
  if (value === null && field.kind !== "json") return "";
  switch (field.kind) {
    case "text":
    case "date":
    case "time":
      return typeof value === "string" ? value : JSON.stringify(value);
    case "datetime":
      return typeof value === "string" ? toLocalInput(value) : "";
    case "choice":
      return typeof value === "string" ? value : JSON.stringify(value);
    case "json":
      return JSON.stringify(value, null, 2);
    default:
      return String(value);
  }
}

/** `2026-11-22T06:30:00Z` as the value of a datetime-local input, in the browser's time zone. */
export function toLocalInput(value: string): string {
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return value;
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Parses a field's text: its value, or an error message. */
export function read(field: Field, text: string): Reading {
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
      return /^[+-]?\d+$/.test(text) ? inRange(field, Number(text)) : { ok: false, error: "Enter a whole number." };
    case "number": {
      const value = Number(text);
      return Number.isFinite(value) ? inRange(field, value) : { ok: false, error: "Enter a number." };
    }
    case "boolean":
      return { ok: true, value: text === "true" };
    case "choice": {
      const choice = field.choices.find((one) => one.text === text);
      return choice ? { ok: true, value: choice.value } : { ok: false, error: "Choose one of the values." };
    }
    case "datetime": {
      const at = new Date(text);
      if (Number.isNaN(at.getTime())) return { ok: false, error: "Enter a date and a time." };
      return { ok: true, value: at.toISOString() };
    }
    case "json":
      return readJson(field, text);
    default:
      return readText(field, text);
  }
}

function inRange(field: Field, value: number): Reading {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = field.schema as Record<string, number | undefined>;
  if (minimum !== undefined && value < minimum) return { ok: false, error: `Enter ${minimum} or more.` };
  if (maximum !== undefined && value > maximum) return { ok: false, error: `Enter ${maximum} or less.` };
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum)
    return { ok: false, error: `Enter more than ${exclusiveMinimum}.` };
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum)
    return { ok: false, error: `Enter less than ${exclusiveMaximum}.` };
  return { ok: true, value };
}

function readText(field: Field, text: string): Reading {
  const { minLength, maxLength, pattern } = field.schema as {
    minLength?: number;
    maxLength?: number;
    pattern?: string;
  };
  if (minLength !== undefined && text.length < minLength)
    return { ok: false, error: `Enter at least ${minLength} characters.` };
  if (maxLength !== undefined && text.length > maxLength)
    return { ok: false, error: `Enter at most ${maxLength} characters.` };
  if (pattern !== undefined && !new RegExp(pattern, "u").test(text))
    return { ok: false, error: `The value must match ${pattern}.` };
  return { ok: true, value: text };
}

function readJson(field: Field, text: string): Reading {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return { ok: false, error: 'Enter JSON, for example ["a", "b"] or {"key": 1}; strings need double quotes.' };
  }
  if (field.schema.type === "array" && !Array.isArray(value)) return { ok: false, error: "Enter a list: [ ... ]." };
  if (field.schema.type === "object" && (value === null || typeof value !== "object" || Array.isArray(value)))
    return { ok: false, error: "Enter an object: { ... }." };
  return { ok: true, value };
}

/** Whether the field's value differs from the flow's default. */
export function isChanged(field: Field, text: string): boolean {
  return text !== field.initial;
}

/** The parameters to send (only those that differ from the defaults) and the errors by name. */
export function readAll(
  fields: readonly Field[],
  texts: Record<string, string>,
): { parameters: Record<string, Json>; errors: Record<string, string> } {
  const parameters: Record<string, Json> = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const text = texts[field.name] ?? field.initial;
    if (field.hasDefault && !isChanged(field, text)) continue;
    const reading = read(field, text);
    if (reading.ok) parameters[field.name] = reading.value;
    else errors[field.name] = reading.error;
  }
  return { parameters, errors };
}

/** The equivalent command for a terminal. */
export function toCommand(flow: string, project: string, parameters: Record<string, Json>): string {
  const quote = (text: string) => (/^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
  const options = Object.entries(parameters).map(([name, value]) => `-p ${quote(`${name}=${JSON.stringify(value)}`)}`);
  return ["appliance run", quote(flow), "--project", quote(project), ...options].join(" ");
}
