import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { Button } from "react-aria-components";
import type { Holder, Limit } from "../../api/limits";
import { blocksOf, kindWord, periodInWords, readSlots, usageInWords } from "../../lib/limits";
import { selectionOf } from "../../lib/task-selection";
import { Instant } from "../../ui/instant";
import { useSetLimit } from "./use-set-limit";
import "./limits.css";

interface Props {
  limits: readonly Limit[];
  isEditable: boolean;
  onRemove: (limit: Limit) => void;
}

export function LimitsTable({ limits, isEditable, onRemove }: Props) {
  return (
    <table className="table wrap-table limits-table">
      <thead>
        <tr>
          <th scope="col">Kind</th>
          <th scope="col">Name</th>
          <th scope="col">Slots</th>
          <th scope="col">In use</th>
          <th scope="col">Held by</th>
          {isEditable && (
            <th scope="col">
              <span className="unseen">Actions</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {limits.map((limit) => (
          <tr key={limit.id}>
            <td className="muted nowrap">{kindWord(limit.kind)}</td>
            <th scope="row" className="strong">
              {limit.name}
            </th>
            <td>
              {isEditable ? <SlotsField limit={limit} /> : <span className="number">{limit.slots}</span>}
              {limit.per !== null && <div className="muted nowrap">starts {periodInWords(limit.per)}</div>}
            </td>
            <td>
              <Usage limit={limit} />
            </td>
            <td>
              <Holders limit={limit} />
            </td>
            {isEditable && (
              <td className="cell-action">
                <Button
                  className="button small quiet"
                  aria-label={`Remove the limit of ${limit.name}`}
                  onPress={() => onRemove(limit)}
                >
                  Remove…
                </Button>
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The number of slots, edited in place: Enter or blur saves it, Escape reverts it. */
function SlotsField({ limit }: { limit: Limit }) {
  const [text, setText] = useState(String(limit.slots));
  const set = useSetLimit();
  useEffect(() => setText(String(limit.slots)), [limit.slots]);
  const reading = readSlots(text);
  const error = "error" in reading ? reading.error : "";
  const commit = () => {
    if ("slots" in reading && reading.slots !== limit.slots && !set.isPending)
      set.mutate({ limit, slots: reading.slots });
  };
  const id = `slots-${limit.id}-error`;
  return (
    <>
      <input
        className="input slots-input number"
        inputMode="numeric"
        aria-label={`Slots for ${limit.name}`}
        aria-invalid={error ? true : undefined}
        aria-describedby={error ? id : undefined}
        value={text}
        disabled={set.isPending}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => (error ? setText(String(limit.slots)) : commit())}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
          if (event.key === "Escape") setText(String(limit.slots));
        }}
      />
      {error && (
        <div className="field-error" id={id}>
          {error}
        </div>
      )}
    </>
  );
}

function Usage({ limit }: { limit: Limit }) {
  const blocks = blocksOf(limit);
  const share = limit.slots ? Math.min(1, limit.used / limit.slots) : 0;
  return (
    <div className="usage">
      {blocks ? (
        <span className="blocks" aria-hidden="true">
          {blocks.map((block, index) => (
            <i key={index} className={`block block-${block}`} />
          ))}
        </span>
      ) : (
        limit.slots > 0 && (
          <span className="blocks-bar" aria-hidden="true">
            <i style={{ width: `${share * 100}%` }} />
          </span>
        )
      )}
      <span className={limit.slots === 0 || limit.used > limit.slots ? "text-attention strong" : "number"}>
        {usageInWords(limit)}
      </span>
    </div>
  );
}

const SHOWN = 3;

function Holders({ limit }: { limit: Limit }) {
  const [isOpen, setOpen] = useState(false);
  const visible = isOpen ? limit.holders : limit.holders.slice(0, SHOWN);
  if (limit.used === 0) return null;
  return (
    <>
      <ul className="holders">
        {visible.map((holder, index) => (
          <li key={index}>
            <HolderLine holder={holder} isStart={limit.per !== null} />
          </li>
        ))}
      </ul>
      {limit.used > SHOWN && (
        <Button className="button small quiet" onPress={() => setOpen(!isOpen)} aria-expanded={isOpen}>
          {isOpen ? "Show fewer" : `Show ${limit.holders.length - SHOWN} more`}
        </Button>
      )}
      {isOpen && limit.used > limit.holders.length && (
        <span className="muted">
          Showing the {limit.holders.length} {limit.per === null ? "longest holders" : "newest starts"}.
        </span>
      )}
    </>
  );
}

function HolderLine({ holder, isStart }: { holder: Holder; isStart: boolean }) {
  return (
    <>
      <Link to="/runs/$runId" params={{ runId: holder.flowRunId }} className="link">
        {holder.flowRunName}
      </Link>
      {holder.taskSlug && <span className="mono"> {selectionOf(holder.taskSlug, holder.mapIndex)}</span>}
      <span className="muted number">
        {" "}
        {isStart ? "at" : "since"} <Instant at={holder.since} />
      </span>
    </>
  );
}
