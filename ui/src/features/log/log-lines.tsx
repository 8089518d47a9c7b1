/** The log's rows on screen. */

import { type LogLine, levelWord, taskLabel } from "../../lib/log-model";
import { formatFull, formatPreciseClock } from "../../lib/time";
import { Empty } from "../../ui/notice";
import { useWindow } from "../../ui/virtual-list";
import { type Box, ERROR, LINE } from "./log-view";

export function NoLines({ isLive, filtered }: { isLive: boolean; filtered: boolean }) {
  if (filtered) return <Empty title="No lines match this level, stream, and task." />;
  return <Empty title={isLive ? "No lines yet." : "This run wrote no log lines."} />;
}

interface LinesProps {
  lines: LogLine[];
  box: Box;
  current: number;
  find: string;
  numbered: boolean;
  withTask: boolean;
  onPick: (line: number) => void;
}

export function Lines({ lines, box, current, find, numbered, withTask, onPick }: LinesProps) {
  const { first, last } = useWindow(box, lines.length, LINE);
  return (
    <div className="log-height" style={{ height: lines.length * LINE }}>
      <div className={`log-rows ${withTask ? "with-task" : ""}`} style={{ transform: `translateY(${first * LINE}px)` }}>
        {lines.slice(first, last).map((line, offset) => {
          const index = first + offset;
          const { record } = line;
          const head = line.part === 0;
          const isFirst = line.from === 0;
          const number = numbered ? line.number : "·";
          const level = record.level >= ERROR ? "line-error" : "";
          return (
            <div
              key={`${record.id}.${line.part}`}
              className={`line ${level} ${index === current ? "line-current" : ""}`}
            >
              <button
                type="button"
                className="line-number"
                tabIndex={-1}
                aria-label={`${number}: copy a link to this line`}
                onClick={() => onPick(index)}
              >
                {isFirst && number}
              </button>
              <span
                className="muted"
                title={
                  head ? `${formatFull(new Date(record.at))}\n${formatFull(new Date(record.at), "UTC")}` : undefined
                }
              >
                {head && formatPreciseClock(new Date(record.at))}
              </span>
              <span className={`level-${levelWord(record.level)}`}>{head && levelWord(record.level)}</span>
              {withTask && (
                <span className="line-task muted" title={taskLabel(record)}>
                  {head && taskLabel(record)}
                </span>
              )}
              <span>
                {head && record.stream === "STDERR" && (
                  <span className="line-stream" title="Written to standard error">
                    stderr
                  </span>
                )}
                {find ? <Marked text={line.text} find={find} /> : line.text}
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Marked({ text, find }: { text: string; find: string }) {
  const at = text.toLowerCase().indexOf(find.toLowerCase());
  if (at < 0) return text;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + find.length)}</mark>
      {text.slice(at + find.length)}
    </>
  );
}
