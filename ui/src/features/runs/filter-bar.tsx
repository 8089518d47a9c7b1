/** The filters of the list of runs: state, text, flow. */

import { useNavigate } from "@tanstack/react-router";
import { type RefObject, useEffect, useRef, useState } from "react";
import { Button, ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { isUuid, type RunView, SHOWS } from "../../lib/run-filter";

interface Props {
  view: RunView;
  change: (view: RunView) => void;
  input: RefObject<HTMLInputElement | null>;
  /** The name of the flow that the view is filtered by, once one of its runs is loaded. */
  flowName: string | undefined;
}

export function FilterBar({ view, change, input, flowName }: Props) {
  return (
    <div className="filter-bar">
      <ToggleButtonGroup
        className="chips"
        aria-label="State"
        selectionMode="single"
        disallowEmptySelection
        selectedKeys={[view.show]}
        onSelectionChange={(keys) => change({ ...view, show: [...keys][0] as RunView["show"] })}
      >
        {SHOWS.map((show) => (
          <ToggleButton key={show.id} id={show.id} className="chip">
            {show.label}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
      <TextFilter view={view} change={change} input={input} />
      {view.flow && (
        <Button className="button" onPress={() => change({ ...view, flow: "" })}>
          {flowName ? `Flow: ${flowName}` : "One flow"} <span aria-hidden="true">✕</span>
          <span className="unseen">Show all flows</span>
        </Button>
      )}
    </div>
  );
}

const TYPING_PAUSE = 250;

function TextFilter({ view, change, input }: Omit<Props, "flowName">) {
  const navigate = useNavigate();
  const [text, setText] = useState(view.q);
  const latest = useRef({ view, change });
  latest.current = { view, change };
  useEffect(() => setText((typed) => (typed.trim() === view.q ? typed : view.q)), [view.q]);
  useEffect(() => {
    const timer = window.setTimeout(() => {
      if (text.trim() !== latest.current.view.q) latest.current.change({ ...latest.current.view, q: text });
    }, TYPING_PAUSE);
    return () => window.clearTimeout(timer);
  }, [text]);
  return (
    <input
      ref={input}
      className="input filter-input"
      type="search"
      aria-label="Filter by flow or run name; a run's ID opens it"
      placeholder="Filter by flow or run name"
      value={text}
      onChange={(event) => setText(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter" && isUuid(text))
          void navigate({ to: "/runs/$runId", params: { runId: text.trim() } });
        if (event.key === "Escape") event.currentTarget.blur();
      }}
    />
  );
}
