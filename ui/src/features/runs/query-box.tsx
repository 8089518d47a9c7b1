/** The filter of the list: one box with its tokens, each of which can be edited, and suggestions while one is written. */

import { type ClipboardEvent, type KeyboardEvent, type RefObject, useId, useState } from "react";
import { isUuid } from "../../lib/run-filter";
import { QueryOptions } from "./query-options";
import { useQueryDraft } from "./use-query-draft";
import { useSuggestions } from "./use-suggestions";
import "./query-box.css";

interface Props {
  q: string;
  onChange: (q: string) => void;
  input: RefObject<HTMLInputElement | null>;
  /** The token that the server refused, and its sentence. */
  refused: { token: string; sentence: string } | null;
  /** Opens a run by its id. */
  onOpen: (runId: string) => void;
}

export function QueryBox({ q, onChange, input, refused, onOpen }: Props) {
  const id = useId();
  const draft = useQueryDraft(q, onChange);
  const [isOpen, setOpen] = useState(false);
  const suggestions = useSuggestions(draft.text, draft.tokens.join(" "), isOpen);
  const choose = (place: number) => {
    const option = suggestions.options[place];
    if (option) draft.complete(option.text);
    input.current?.focus();
  };
  const isShown = isOpen && suggestions.options.length > 0;
  return (
    <div className={`query ${refused ? "query-refused" : ""}`}>
      <div className="query-box">
        <Tokens
          tokens={draft.tokens}
          refused={refused?.token ?? ""}
          onEdit={(place) => {
            draft.edit(place);
            input.current?.focus();
          }}
          onRemove={draft.remove}
        />
        <input
          ref={input}
          className="query-input"
          type="text"
          role="combobox"
          autoComplete="off"
          spellCheck={false}
          aria-label="Filter by flow or run name, or by tokens such as state:failed; a run's ID opens it"
          aria-expanded={isShown}
          aria-controls={`${id}-options`}
          aria-autocomplete="list"
          aria-activedescendant={isShown && suggestions.active >= 0 ? `${id}-${suggestions.active}` : undefined}
          aria-invalid={refused ? true : undefined}
          aria-describedby={refused ? `${id}-refused` : undefined}
          placeholder={
            draft.tokens.length === 0 ? "Filter: a name, state:failed, flow:etl-*, since:7d…" : "add filter…"
          }
          value={draft.text}
          onChange={(event) => {
            setOpen(true);
            draft.type(event.target.value);
          }}
          onFocus={() => setOpen(true)}
          onBlur={() => {
            setOpen(false);
            draft.commit();
          }}
          onPaste={(event: ClipboardEvent<HTMLInputElement>) => {
            const pasted = event.clipboardData.getData("text");
            if (!isUuid(pasted)) return;
            event.preventDefault();
            onOpen(pasted.trim());
          }}
          onKeyDown={(event) => onKey(event, { draft, suggestions, isOpen, setOpen, choose, onOpen })}
        />
      </div>
      {isShown && <QueryOptions id={id} options={suggestions.options} active={suggestions.active} onChoose={choose} />}
      {refused && (
        <p id={`${id}-refused`} className="query-sentence" role="alert">
          {refused.sentence}
        </p>
      )}
    </div>
  );
}

interface Keys {
  draft: ReturnType<typeof useQueryDraft>;
  suggestions: ReturnType<typeof useSuggestions>;
  isOpen: boolean;
  setOpen: (isOpen: boolean) => void;
  choose: (place: number) => void;
  onOpen: Props["onOpen"];
}

function onKey(event: KeyboardEvent<HTMLInputElement>, keys: Keys): void {
  const { draft, suggestions, isOpen, setOpen } = keys;
  if (event.key === "Enter" && isUuid(draft.text)) keys.onOpen(draft.text.trim());
  else if (event.key === "Enter" && isOpen && suggestions.active >= 0) keys.choose(suggestions.active);
  else if (event.key === "Enter") draft.commit();
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    setOpen(true);
    suggestions.move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Backspace" && draft.text === "" && draft.tokens.length > 0) draft.removeLast();
  else if (event.key === "Escape" && isOpen && suggestions.options.length > 0) setOpen(false);
  else if (event.key === "Escape") event.currentTarget.blur();
  else return;
  event.preventDefault();
}

interface TokensProps {
  tokens: readonly string[];
  refused: string;
  onEdit: (place: number) => void;
  onRemove: (place: number) => void;
}

/** Enter or a click edits a token, Delete or Backspace removes it. */
function Tokens({ tokens, refused, onEdit, onRemove }: TokensProps) {
  if (tokens.length === 0) return null;
  return (
    <ul className="query-tokens" aria-label="Filters">
      {tokens.map((token, place) => (
        <li key={`${place} ${token}`} className={`query-token ${token === refused ? "query-token-refused" : ""}`}>
          <button
            type="button"
            className="query-token-text"
            title="Edit"
            onClick={() => onEdit(place)}
            onKeyDown={(event) => {
              if (event.key !== "Delete" && event.key !== "Backspace") return;
              event.preventDefault();
              onRemove(place);
            }}
          >
            {token}
          </button>
          <button
            type="button"
            className="query-token-remove"
            tabIndex={-1}
            aria-label={`Remove ${token}`}
            onClick={() => onRemove(place)}
          >
            <span aria-hidden="true">✕</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
