/** What is being written in the box: the tokens that are done, and the text of the next one. */

import { useEffect, useRef, useState } from "react";
import { fieldOf, isComplete, tokensOf } from "../../lib/run-query";

const TYPING_PAUSE = 250;

/** Plain words filter while they are typed, as a part of a name is useful; a token with a field does when it is done. */
export function useQueryDraft(q: string, onChange: (q: string) => void) {
  const [tokens, setTokens] = useState(() => tokensOf(q));
  const [text, setText] = useState("");
  const sent = useRef(q);
  const latest = useRef(onChange);
  latest.current = onChange;
  const send = (next: readonly string[]) => {
    const query = next.join(" ");
    if (query === sent.current) return;
    sent.current = query;
    latest.current(query);
  };
  const settle = (next: string[], rest = "") => {
    setTokens(next);
    setText(rest);
    send(rest.trim() && !fieldOf(rest.trim()) ? [...next, rest.trim()] : next);
  };
  useEffect(() => {
    if (q === sent.current) return; // the address was changed elsewhere: back, a link, a quick choice
    sent.current = q;
    setTokens(tokensOf(q));
    setText("");
  }, [q]);
  useEffect(() => {
    const words = text.trim();
    if (fieldOf(words) || !isComplete(words)) return;
    const timer = window.setTimeout(() => {
      const query = [...tokens, words].join(" ").trim();
      if (query === sent.current) return;
      sent.current = query;
      latest.current(query);
    }, TYPING_PAUSE);
    return () => window.clearTimeout(timer);
  }, [text, tokens]);
  const commit = (written = text) => {
    if (written.trim() && isComplete(written.trim())) settle([...tokens, ...tokensOf(written)]);
  };
  return {
    tokens,
    text,
    commit: () => commit(),
    /** What is in the box; a space ends a token with a field. */
    type: (next: string) => {
      const written = tokensOf(next);
      const isDone = /\s$/.test(next) && isComplete(next.trim()) && written.some((token) => fieldOf(token));
      if (isDone) commit(next);
      else setText(next);
    },
    /** A suggestion at the place of the text; a field still needs its value. */
    complete: (token: string) =>
      isComplete(token) && !token.endsWith(":") ? settle([...tokens, token]) : setText(token),
    edit: (place: number) => {
      setText(tokens[place] ?? "");
      setTokens(tokens.filter((_, at) => at !== place));
    },
    remove: (place: number) =>
      settle(
        tokens.filter((_, at) => at !== place),
        text,
      ),
    removeLast: () => settle(tokens.slice(0, -1)),
  };
}
