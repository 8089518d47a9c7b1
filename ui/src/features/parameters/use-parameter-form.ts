import { useMemo, useState } from "react";
import { isChanged, type Parameter, read, readAll, toField, toText } from "../../lib/form-model";
import type { Json } from "../../lib/json";

/** The texts and errors of a form of parameters; it starts with the current values, or else with the defaults. */
export function useParameterForm(parameters: readonly Parameter[], values: Record<string, unknown> | undefined) {
  const fields = useMemo(() => parameters.map(toField), [parameters]);
  const [start] = useState<Record<string, string>>(() =>
    Object.fromEntries(
      fields.map((field) => {
        const value = values?.[field.name];
        return [field.name, value === undefined ? field.initial : toText(field, value as Json)];
      }),
    ),
  );
  const [texts, setTexts] = useState(start);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const edit = (name: string, text: string) => {
    setTexts((now) => ({ ...now, [name]: text }));
    setErrors(({ [name]: _, ...rest }) => rest);
  };
  const check = (name: string) => {
    const field = fields.find((one) => one.name === name);
    if (!field || (!isChanged(field, texts[name] ?? "") && field.hasDefault)) return;
    const reading = read(field, texts[name] ?? "");
    // An empty required field is not an error before the form is submitted.
    if (!reading.ok && texts[name]) setErrors((now) => ({ ...now, [name]: reading.error }));
  };
  const readTexts = () => readAll(fields, texts, values as Record<string, Json> | undefined);
  return { fields, start, texts, errors, setErrors, edit, check, readTexts };
}
