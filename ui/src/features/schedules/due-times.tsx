/** The next due times of a schedule, or of one that is being written, with what clock changes, calendars and policies do to them. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { type DueTime, previewQuery, type ScheduleContent, type SchedulePreview } from "../../api/schedules";
import { clockTime, offsetOf } from "../../lib/due-times";
import { Countdown } from "../../ui/instant";
import { Empty } from "../../ui/notice";
import { useSettled } from "../../ui/settled";
import { problemOf } from "./field-problem";

interface TimesProps {
  preview: SchedulePreview;
  /** What can be done with one of them. */
  action?: (time: DueTime) => ReactNode;
}

export function DueTimes({ preview, action }: TimesProps) {
  if (preview.times.length === 0) return <Empty title="No more due times.">The schedule is over.</Empty>;
  return (
    <>
      <ol className="due-times" aria-label={`Next due times in ${preview.timezone}`}>
        {preview.times.map((time) => (
          <li key={time.at}>
            <WhenDue time={time} />
            {action?.(time)}
            {time.skipped !== null && <span className="due-note">No run. {time.skipped}</span>}
            {time.notes.map((note) => (
              <span key={note} className="due-note">
                {note}
              </span>
            ))}
          </li>
        ))}
      </ol>
      {preview.dropped.length > 0 && (
        <ul className="due-times dropped" aria-label="Times without a run">
          {preview.dropped.map(({ at, local, reason }) => (
            <li key={at}>
              <span className="number">No run at {clockTime(local)}</span>
              <span className="due-note">{reason}</span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function WhenDue({ time: { at, local, skipped } }: { time: DueTime }) {
  const clock = <span className="number">{clockTime(local)}</span>;
  return (
    <>
      {skipped === null ? clock : <del>{clock}</del>}
      <span className="muted number offset">{offsetOf(local)}</span>
      <span className="muted">{skipped === null ? <Countdown at={at} /> : "skipped"}</span>
    </>
  );
}

/** What a schedule in a form would do. It follows the form a moment after the last key; null while a field is invalid. */
export function usePreview(flowId: string, content: ScheduleContent | null) {
  const settled = useSettled(content);
  const query = useQuery({ ...previewQuery(flowId, settled ?? { document: {}, parameters: {} }), enabled: !!settled });
  const isOld = content === null || content !== settled || query.isFetching;
  return { data: query.data, error: isOld ? null : query.error, isOld, isReadable: content !== null };
}

export function LivePreview({ preview }: { preview: ReturnType<typeof usePreview> }) {
  const { data, error, isOld, isReadable } = preview;
  return (
    <section className="live-preview" aria-label="Preview" aria-busy={isOld}>
      <h3>Next 10 due times {isOld && isReadable && <span className="muted normal">updating…</span>}</h3>
      {error && !problemOf(error) ? (
        <p className="field-error" role="alert">
          {error.message}
        </p>
      ) : error || !isReadable ? (
        <p className="muted">Shown as soon as the fields are valid.</p>
      ) : data ? (
        <>
          <p>
            {data.description} <span className="muted">({data.timezone})</span>
          </p>
          {data.missing.length > 0 && (
            <p className="due-note">Required parameters without a value: {data.missing.join(", ")}.</p>
          )}
          <DueTimes preview={data} />
        </>
      ) : (
        <p className="muted">Loading…</p>
      )}
    </section>
  );
}
