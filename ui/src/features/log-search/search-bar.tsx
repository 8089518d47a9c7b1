/** The form of the search: its words, the level and the flow. It is sent as a whole. */

import { type RefObject, useEffect, useState } from "react";
import { Button, Form } from "react-aria-components";
import { LEVELS } from "../../lib/log-levels";
import { LONGEST_SEARCH, type LogSearchView } from "../../lib/log-search";

interface Props {
  view: LogSearchView;
  change: (view: LogSearchView) => void;
  input: RefObject<HTMLInputElement | null>;
}

export function SearchBar({ view, change, input }: Props) {
  const [q, setQ] = useState(view.q);
  const [flow, setFlow] = useState(view.flow);
  useEffect(() => setQ(view.q), [view.q]);
  useEffect(() => setFlow(view.flow), [view.flow]);
  const typed = { ...view, q, flow: flow.trim() };
  return (
    <Form
      className="filter-bar"
      onSubmit={(event) => {
        event.preventDefault();
        change(typed);
      }}
    >
      <input
        ref={input}
        className="input filter-input"
        type="search"
        aria-label="Words that lines have"
        placeholder="Words that lines have"
        maxLength={LONGEST_SEARCH}
        value={q}
        onChange={(event) => setQ(event.target.value)}
      />
      <select
        className="select"
        aria-label="Level"
        value={view.level ?? ""}
        onChange={(event) => change({ ...typed, level: (event.target.value || undefined) as LogSearchView["level"] })}
      >
        {LEVELS.map((level) => (
          <option key={level.value} value={level.name ?? ""}>
            {level.label}
          </option>
        ))}
      </select>
      <input
        className="input"
        type="search"
        aria-label="Flow, or project/flow"
        placeholder="Flow, or project/flow"
        maxLength={LONGEST_SEARCH}
        value={flow}
        onChange={(event) => setFlow(event.target.value)}
      />
      <Button type="submit" className="button primary">
        Search
      </Button>
    </Form>
  );
}
