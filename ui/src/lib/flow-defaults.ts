/** What new runs of a flow have beside what its code says. */

import type { Parameter } from "./form-model";
import { type Json, parseJson, printJson } from "./json";

/** As the server sends them: `parameters` and `runConfig` are JSON objects. */
export interface Defaults {
  parameters: unknown;
  labels: readonly string[] | null;
  runConfig: unknown;
}

type Values = Record<string, Json>;

/** The parameters of the newest version, with the flow's defaults in place of the code's. */
export function withDefaults(flow: { version: { parameters: readonly Parameter[] }; defaults: Defaults }): Parameter[] {
  const parameters = flow.defaults.parameters as Values;
  return flow.version.parameters.map((one) =>
    one.name in parameters ? { ...one, required: false, default: parameters[one.name] ?? null } : one,
  );
}

/** One line for each default. */
export function inWords({ parameters, labels, runConfig }: Defaults): { name: string; value: string }[] {
  return [
    ...Object.entries(parameters as Values).map(([name, value]) => ({ name, value: printJson(value) })),
    ...(labels ? [{ name: "labels", value: labels.join(", ") || "none" }] : []),
    ...Object.entries(runConfig as Values).map(([name, value]) =>
      name === "env"
        ? { name: "environment variables", value: Object.keys(value as object).join(", ") }
        : { name, value: printJson(value) },
    ),
  ];
}

/** A JSON object from the text of a field; no text is an empty one. */
export function readObject(text: string): { value: Values } | { error: string } {
  if (!text.trim()) return { value: {} };
  try {
    const value = parseJson(text);
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return { value: value as Values };
  } catch {
    // it is said below, like a value of another kind
  }
  return { error: 'Enter a JSON object, such as {"name": "value"}.' };
}
