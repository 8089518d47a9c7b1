import { useLocation } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";
import { Button } from "react-aria-components";
import { wordsOf } from "../../lib/palette";
import { Empty } from "../../ui/notice";
import { openPalette } from "./opening";
import "./palette.css";

/** There is nothing at this address: why that may be, where to go, and a search for what was meant. */
export function DeadEnd({ title, children, action }: { title: string; children: ReactNode; action: ReactNode }) {
  const { pathname } = useLocation();
  const [text, setText] = useState(() => wordsOf(pathname));
  const search = (event: FormEvent) => {
    event.preventDefault();
    openPalette(text);
  };
  return (
    <Empty title={title} isPage>
      <p>{children}</p>
      <form className="row dead-end" onSubmit={search}>
        <input
          className="input"
          type="search"
          aria-label="Name or ID"
          placeholder="Name or ID"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <Button type="submit" className="button">
          Search
        </Button>
        {action}
      </form>
    </Empty>
  );
}
