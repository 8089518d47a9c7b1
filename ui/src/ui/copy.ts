/** Copying, also where the site is served over plain HTTP, where browsers offer no clipboard to pages. */

import { toast, toastError } from "./toasts";

/** Copies the text, and says `done`, or that the browser didn't allow it. */
export async function copyText(text: string, done: string): Promise<void> {
  if ((await byClipboard(text)) || bySelection(text)) toast(done);
  else
    toastError(new Error("Not copied: this browser doesn't let the page copy. Select the text and copy it yourself."));
}

async function byClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no secure context, or no permission
  }
}

function bySelection(text: string): boolean {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  Object.assign(field.style, { position: "fixed", opacity: "0" });
  // Inside an open dialog, since a dialog takes the focus back from what is outside it.
  (before?.closest("[role=dialog], [role=alertdialog]") ?? document.body).append(field);
  field.focus();
  field.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
    if (before instanceof HTMLElement) before.focus();
  }
}
