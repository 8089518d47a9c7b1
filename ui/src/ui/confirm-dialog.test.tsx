import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ComponentProps } from "react";
import { describe, expect, it, vi } from "vitest";
import { ConfirmDialog } from "./confirm-dialog";

type Props = ComponentProps<typeof ConfirmDialog>;

function open(more: Partial<Props> = {}) {
  const props = {
    title: "Stop it?",
    isOpen: true,
    keep: "Keep it",
    confirm: "Stop it",
    isPending: false,
    error: null,
    onClose: vi.fn(),
    onConfirm: vi.fn(),
    ...more,
  };
  const { rerender } = render(<ConfirmDialog {...props} />);
  return {
    ...props,
    user: userEvent.setup(),
    change: (next: Partial<Props>) => rerender(<ConfirmDialog {...props} {...next} />),
  };
}

const button = (name: string) => screen.getByRole("button", { name });
const reason = () => screen.getByRole<HTMLInputElement>("textbox");

describe("a question", () => {
  it("interrupts, and is called by its title", () => {
    open();
    expect(screen.getByRole("alertdialog", { name: "Stop it?" })).toBeTruthy();
  });

  it("is not there while it is closed", () => {
    open({ isOpen: false });
    expect(screen.queryByRole("alertdialog")).toBeNull();
  });

  it("says which button does harm", () => {
    const { change } = open({ isDanger: true });
    expect(button("Stop it").className).toContain("danger");
    change({ isDanger: false });
    expect(button("Stop it").className).not.toContain("danger");
  });

  it("shows why it was refused, as an alert", () => {
    open({ error: new Error("The run has ended.") });
    expect(screen.getByRole("alert").textContent).toBe("The run has ended.");
  });
});

describe("the answer", () => {
  it("carries the reason without outer spaces", async () => {
    const { user, onConfirm } = open();
    await user.type(reason(), "  wrong data ");
    await user.click(button("Stop it"));
    expect(onConfirm).toHaveBeenCalledExactlyOnceWith("wrong data");
  });

  it("can be given by Enter, without a reason", async () => {
    const { user, onConfirm } = open();
    await user.type(reason(), "{Enter}");
    expect(onConfirm).toHaveBeenCalledExactlyOnceWith("");
  });

  it("is given once while it works", async () => {
    const { user, onConfirm } = open({ isPending: true });
    await user.click(button("Working…"));
    await user.type(reason(), "{Enter}");
    expect(onConfirm).not.toHaveBeenCalled();
  });

  it("can't be given where nothing can be confirmed yet", async () => {
    const { user, onConfirm } = open({ isDisabled: true });
    await user.click(button("Stop it"));
    await user.type(reason(), "{Enter}");
    expect(onConfirm).not.toHaveBeenCalled();
  });

  it("is not given by the button that keeps all as it is, nor by Escape", async () => {
    const { user, onConfirm, onClose } = open();
    await user.click(button("Keep it"));
    expect(onClose).toHaveBeenCalledTimes(1);
    await user.keyboard("{Escape}");
    expect(onClose).toHaveBeenCalledTimes(2);
    expect(onConfirm).not.toHaveBeenCalled();
  });
});

describe("the focus", () => {
  it("begins in the reason", () => {
    open();
    expect(document.activeElement).toBe(reason());
  });

  it("begins on the harmless button where no reason is asked", () => {
    open({ hasReason: false });
    expect(screen.queryByRole("textbox")).toBeNull();
    expect(document.activeElement).toBe(button("Keep it"));
  });
});

it("begins with an empty reason each time", async () => {
  const { user, change } = open();
  await user.type(reason(), "old");
  change({ isOpen: false });
  change({ isOpen: true });
  expect(reason().value).toBe("");
});
