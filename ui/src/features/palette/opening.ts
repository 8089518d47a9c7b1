/** Opens the command palette from anywhere on the page. */

import { useEffect } from "react";

const openers = new Set<(text: string) => void>();

/** Shows the palette with this text in its box. */
export function openPalette(text: string): void {
  for (const open of openers) open(text);
}

export function useOpener(open: (text: string) => void): void {
  useEffect(() => {
    openers.add(open);
    return () => void openers.delete(open);
  }, [open]);
}
