import { useEffect, useRef } from "react";
import type { Option } from "./use-suggestions";

interface Props {
  id: string;
  options: readonly Option[];
  active: number;
  onChoose: (place: number) => void;
}

/** The suggestions under the box. The focus stays in the box, which names the active one. */
export function QueryOptions({ id, options, active, onChoose }: Props) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView?.({ block: "nearest" });
  }, [active]);
  return (
    <div id={`${id}-options`} ref={list} className="query-options" role="listbox" aria-label="Suggestions">
      {options.map((option, place) => (
        // biome-ignore lint/a11y/useFocusableInteractive: the box has the focus
        // biome-ignore lint/a11y/useKeyWithClickEvents: and the keys
        <div
          key={option.text}
          id={`${id}-${place}`}
          className="query-option"
          role="option"
          aria-selected={place === active}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onChoose(place)}
        >
          <span className="clip">{option.label}</span>
          <span className="subtle number clip">{option.hint}</span>
        </div>
      ))}
    </div>
  );
}
