/** What is suggested for the token that is being written: fields, then their values with the number of runs that have each. */

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { suggestionsQuery } from "../../api/flow-runs";
import { counted } from "../../lib/counted";
import { ASKED, FIELDS, fieldOf, PRESETS, quoted, valueIn } from "../../lib/run-query";

export interface Option {
  /** The token. */
  text: string;
  label: string;
  hint: string;
}

const PAUSE = 120;

export function useSuggestions(text: string, others: string, isOpen: boolean) {
  const written = useSettled(text.trimStart());
  const field = fieldOf(written);
  const value = valueIn(written).replace(/"/g, "");
  const start = field === "state" || field === "label" ? value.slice(0, value.lastIndexOf(",") + 1) : "";
  const part = value.slice(start.length);
  const asked = useQuery({
    ...suggestionsQuery(field, part, others),
    enabled: isOpen && ASKED.has(field.split(".")[0] ?? ""),
    placeholderData: keepPreviousData,
  });
  const [active, setActive] = useState(-1);
  useEffect(() => {
    if (text !== undefined) setActive(-1);
  }, [text]);
  const options = optionsOf(field, start, part, written, asked.data ?? []);
  return {
    options,
    active: Math.min(active, options.length - 1),
    move: (step: number) =>
      setActive((now) =>
        options.length === 0 ? -1 : (now + step + options.length + (now < 0 && step < 0 ? 1 : 0)) % options.length,
      ),
  };
}

function optionsOf(
  field: string,
  start: string,
  part: string,
  written: string,
  found: readonly { value: string; runs: number }[],
): Option[] {
  const presets = PRESETS[field];
  if (presets) return presets.filter((one) => one.includes(part)).map((one) => option(`${field}:${one}`, one, ""));
  if (field === "param")
    return found.map(({ value, runs }) => option(`param.${value}:`, `param.${value}:`, counted(runs, "run")));
  if (ASKED.has(field.split(".")[0] ?? ""))
    return found.map(({ value, runs }) =>
      option(`${field}:${start}${quoted(value)}`, value, runs > 0 ? counted(runs, "run") : ""),
    );
  if (field || /\s/.test(written.trim())) return [];
  const fields = FIELDS.filter(({ name }) => name.startsWith(written.toLowerCase()));
  return fields.map(({ name, hint }) => option(`${name}:`, `${name}:`, hint));
}

const option = (text: string, label: string, hint: string): Option => ({ text, label, hint });

/** The text once nothing was typed for a moment, so that not every letter is a question. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(text), PAUSE);
    return () => window.clearTimeout(timer);
  }, [text]);
  return settled;
}
