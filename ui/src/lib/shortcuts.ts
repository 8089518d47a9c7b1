/** Single keys and `g x` sequences. Inactive in inputs, under open dialogs, with modifiers and during composition. */

export interface Shortcut {
  /** `j`, `Shift F`, `g r`, `Enter`, `/` */
  keys: string;
  label: string;
  run: () => void;
}

interface KeyPress {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  isComposing: boolean;
  target: EventTarget | null;
}

const SEQUENCE_MS = 1_200;

/** The name of a key press as written in `keys`; null if it can't be a shortcut. */
export function keyName(press: KeyPress): string | null {
  if (press.ctrlKey || press.metaKey || press.altKey || press.isComposing) return null;
  if (press.key === "Shift" || isTyping(press.target)) return null;
  if (/^[a-z]$/i.test(press.key)) return press.shiftKey ? `Shift ${press.key.toUpperCase()}` : press.key.toLowerCase();
  return press.key;
}

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("[role=dialog],[role=alertdialog],[role=menu],[role=listbox]")) return true;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

/** Matches key presses with shortcuts. */
export class ShortcutMatcher {
  private prefix = "";
  private at = 0;

  match(name: string, shortcuts: readonly Shortcut[], now: number): Shortcut | null {
    const sequence = this.prefix && now - this.at < SEQUENCE_MS ? `${this.prefix} ${name}` : name;
    const match = shortcuts.find((one) => one.keys === sequence) ?? null;
    const opens = !match && shortcuts.some((one) => one.keys.startsWith(`${name} `));
    this.prefix = opens ? name : "";
    this.at = now;
    return match;
  }
}
