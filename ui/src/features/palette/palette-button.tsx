import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { Button } from "react-aria-components";
import { useShortcuts } from "../../ui/shortcuts";
import { useOpener } from "./opening";
import type { Destination } from "./use-sections";

const load = () => import("./palette");
const Palette = lazy(load);
/** When a page has certainly loaded what it needs. */
const PRELOAD_AFTER = 5_000;
const KEY = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘ K" : "Ctrl K";

/** Opens the command palette, here or by Ctrl K. */
export function PaletteButton({ pages }: { pages: readonly Destination[] }) {
  const [isOpen, setOpen] = useState(false);
  const [isLoaded, setLoaded] = useState(false);
  const [text, setText] = useState("");
  const openWith = useCallback((text: string) => {
    setText(text);
    setLoaded(true);
    setOpen(true);
  }, []);
  const open = () => openWith("");
  useOpener(openWith);
  useEffect(() => {
    const preload = setTimeout(() => void load(), PRELOAD_AFTER);
    return () => clearTimeout(preload);
  }, []);
  useShortcuts("Search", [{ keys: KEY, label: "Search and commands", run: open }]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!isPaletteKey(event)) return;
      event.preventDefault();
      if (document.querySelector("[role=dialog],[role=alertdialog]")) setOpen(false);
      else open();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  });
  return (
    <>
      <Button className="palette-button" aria-keyshortcuts="Control+K" onPress={open}>
        <svg className="state-icon" width="14" height="14" viewBox="0 0 12 12" aria-hidden="true">
          <path d="M5 1.5A3.5 3.5 0 1 0 5 8.5A3.5 3.5 0 1 0 5 1.5M7.6 7.6 11 11" />
        </svg>
        <span>Search, or do something…</span>
        <kbd>{KEY}</kbd>
      </Button>
      <Suspense>
        {isLoaded && <Palette isOpen={isOpen} text={text} onClose={() => setOpen(false)} pages={pages} />}
      </Suspense>
    </>
  );
}

function isPaletteKey(event: KeyboardEvent): boolean {
  return event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
}
