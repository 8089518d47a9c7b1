import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { copyText } from "./copy";
import { Toasts } from "./toasts";

function browser(clipboard: unknown, command: () => boolean): void {
  Object.defineProperty(navigator, "clipboard", { value: clipboard, configurable: true });
  Object.defineProperty(document, "execCommand", { value: command, configurable: true });
}

async function copied(text: string): Promise<void> {
  render(<Toasts />);
  await act(() => copyText(text, "Error copied."));
}

afterEach(() => {
  for (const button of screen.queryAllByRole("button", { name: "Dismiss notice" })) fireEvent.click(button);
  cleanup();
  Reflect.deleteProperty(navigator, "clipboard");
  Reflect.deleteProperty(document, "execCommand");
});

it("uses the clipboard where there is one", async () => {
  const writeText = vi.fn(() => Promise.resolve());
  browser({ writeText }, () => false);
  await copied("a");
  expect(writeText).toHaveBeenCalledWith("a");
  expect(screen.getByText("Error copied.")).toBeTruthy();
});

it.each([
  ["without a secure context", undefined],
  ["without the permission", { writeText: () => Promise.reject(new Error("NotAllowed")) }],
])("copies a selection %s, and leaves the page as it was", async (_, clipboard) => {
  let selected = "";
  browser(clipboard, () => {
    selected = (document.activeElement as HTMLTextAreaElement).value;
    return true;
  });
  const field = document.body.appendChild(document.createElement("input"));
  field.focus();
  await copied("two\nlines");
  expect(selected).toBe("two\nlines");
  expect(document.querySelector("textarea")).toBeNull();
  expect(document.activeElement).toBe(field);
  field.remove();
});

it("says that it did not copy", async () => {
  browser(undefined, () => false);
  await copied("a");
  expect(screen.getByText(/^Not copied/)).toBeTruthy();
  expect(screen.queryByText("Error copied.")).toBeNull();
});
