/** The toolbar above the log: level, search, errors, and how lines are displayed. */

import type { RefObject } from "react";
import { Button, ToggleButton } from "react-aria-components";
import { downloadPath } from "../../api/logs";
import type { Jumps } from "./jumps";
import { LEVELS, type LogSearch, STREAMS } from "./levels";
import type { LogRows } from "./use-log-rows";

interface Props {
  flowRunId: string;
  rows: LogRows;
  jumps: Jumps;
  search: LogSearch;
  onSearch: (search: LogSearch) => void;
  find: string;
  setFind: (text: string) => void;
  matches: readonly number[];
  input: RefObject<HTMLInputElement | null>;
  errorCount: number;
  wraps: boolean;
  wrap: (on: boolean) => void;
  isLive: boolean;
}

export function LogTools(props: Props) {
  const { flowRunId, rows, jumps, search, onSearch, errorCount, wraps, wrap, isLive } = props;
  return (
    <div className="log-tools">
      <select
        className="select"
        aria-label="Level"
        value={search.level ?? ""}
        onChange={(event) => onSearch({ level: (event.target.value || undefined) as LogSearch["level"] })}
      >
        {LEVELS.map((level) => (
          <option key={level.value} value={level.name ?? ""}>
            {level.label}
          </option>
        ))}
      </select>
      <select
        className="select"
        aria-label="Source"
        value={search.stream ?? ""}
        onChange={(event) => onSearch({ stream: (event.target.value || undefined) as LogSearch["stream"] })}
      >
        {STREAMS.map((stream) => (
          <option key={stream.label} value={stream.name ?? ""}>
            {stream.label}
          </option>
        ))}
      </select>
      <Find {...props} />
      <span className="spring" />
      {errorCount > 0 && (
        <Button className="button small text-failed" onPress={() => jumps.toError(1)}>
          Errors {errorCount.toLocaleString("en")} <kbd>e</kbd>
        </Button>
      )}
      <ToggleButton className="button small toggle" isSelected={wraps} onChange={wrap}>
        Wrap
      </ToggleButton>
      {isLive && (
        <ToggleButton
          className="button small toggle"
          isSelected={rows.following}
          onChange={(on) => (on ? jumps.toEnd() : rows.setFollowing(false))}
        >
          Follow
        </ToggleButton>
      )}
      <a className="button small" href={downloadPath(flowRunId)} download>
        Download
      </a>
    </div>
  );
}

function Find({ rows, jumps, find, setFind, matches, input }: Props) {
  const position = matches.indexOf(rows.current);
  return (
    <span className="find">
      <input
        ref={input}
        className="input"
        type="search"
        aria-label="Find in the log"
        placeholder="Find"
        value={find}
        onChange={(event) => setFind(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") jumps.toMatch(event.shiftKey ? -1 : 1);
          if (event.key === "Escape") event.currentTarget.blur();
        }}
      />
      {find.trim() && (
        <span className="find-count number" role="status">
          {position + 1}/{matches.length}
          {rows.view.hasNewer || rows.view.hasOlder ? "+" : ""}
        </span>
      )}
    </span>
  );
}
