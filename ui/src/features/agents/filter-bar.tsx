import { type RefObject, useEffect, useRef, useState } from "react";
import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { type AgentView, SHOWS } from "../../lib/agents";

interface Props {
  view: AgentView;
  change: (view: AgentView) => void;
  input: RefObject<HTMLInputElement | null>;
}

const TYPING_PAUSE = 250;

export function AgentFilterBar({ view, change, input }: Props) {
  const [text, setText] = useState(view.q);
  const latest = useRef({ view, change });
  latest.current = { view, change };
  useEffect(() => setText((typed) => (typed.trim() === view.q ? typed : view.q)), [view.q]);
  useEffect(() => {
    const timer = window.setTimeout(() => {
      if (text.trim() !== latest.current.view.q) latest.current.change({ ...latest.current.view, q: text.trim() });
    }, TYPING_PAUSE);
    return () => window.clearTimeout(timer);
  }, [text]);
  return (
    <div className="filter-bar">
      <ToggleButtonGroup
        className="chips"
        aria-label="State"
        selectionMode="single"
        disallowEmptySelection
        selectedKeys={[view.show]}
        onSelectionChange={(keys) => change({ ...view, show: [...keys][0] as AgentView["show"] })}
      >
        {SHOWS.map((show) => (
          <ToggleButton key={show.id} id={show.id} className="chip">
            {show.label}
          </ToggleButton>
        ))}
      </ToggleButtonGroup>
      <input
        ref={input}
        className="input filter-input"
        type="search"
        aria-label="Filter by name, host, label, or project"
        placeholder="Filter by name, host, label, or project"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
      />
    </div>
  );
}
