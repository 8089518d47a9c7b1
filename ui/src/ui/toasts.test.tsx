import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../api/http";
import { Toasts, toast, toastError } from "./toasts";

const LASTS = 6_000;
const cards = () => [...document.querySelectorAll(".toast")];
const texts = () => cards().map((card) => card.firstElementChild?.textContent);
const card = (text: string) => screen.getByText(text).closest(".toast") as Element;
const close = () => act(() => fireEvent.click(screen.getAllByRole("button", { name: "Dismiss notice" })[0] as Element));

beforeEach(() => {
  vi.useFakeTimers();
  render(<Toasts />);
});

afterEach(() => {
  while (cards().length > 0) close();
  vi.useRealTimers();
});

describe("a notice of something done", () => {
  it("disappears after six seconds", () => {
    act(() => toast("Saved."));
    act(() => vi.advanceTimersByTime(LASTS - 1));
    expect(texts()).toEqual(["Saved."]);
    act(() => vi.advanceTimersByTime(1));
    expect(texts()).toEqual([]);
  });

  it("stays while the pointer is on it, and six seconds longer", () => {
    act(() => toast("Saved."));
    act(() => vi.advanceTimersByTime(LASTS - 1));
    fireEvent.mouseEnter(card("Saved."));
    act(() => vi.advanceTimersByTime(10 * LASTS));
    expect(texts()).toEqual(["Saved."]);
    fireEvent.mouseLeave(card("Saved."));
    act(() => vi.advanceTimersByTime(LASTS));
    expect(texts()).toEqual([]);
  });

  it("stays while its button has the focus", () => {
    act(() => toast("Saved."));
    act(() => screen.getByRole("button", { name: "Dismiss notice" }).focus());
    act(() => vi.advanceTimersByTime(10 * LASTS));
    expect(texts()).toEqual(["Saved."]);
  });

  it("may be said again", () => {
    act(() => toast("Saved."));
    act(() => toast("Saved."));
    expect(texts()).toEqual(["Saved.", "Saved."]);
  });

  it("each has its own six seconds", () => {
    act(() => toast("First."));
    act(() => vi.advanceTimersByTime(LASTS / 2));
    act(() => toast("Second."));
    act(() => vi.advanceTimersByTime(LASTS / 2));
    expect(texts()).toEqual(["Second."]);
  });
});

describe("a notice of an error", () => {
  it("stays until it is closed", () => {
    act(() => toastError(new Error("The run has ended.")));
    act(() => vi.advanceTimersByTime(100 * LASTS));
    expect(texts()).toEqual(["The run has ended."]);
    close();
    expect(texts()).toEqual([]);
  });

  it("is said once, however often it comes", () => {
    act(() => toastError(new Error("The run has ended.")));
    act(() => toastError(new Error("The run has ended.")));
    act(() => toastError(new Error("Another one.")));
    expect(texts()).toEqual(["The run has ended.", "Another one."]);
  });

  it("is said again once it was closed", () => {
    act(() => toastError(new Error("The run has ended.")));
    close();
    act(() => toastError(new Error("The run has ended.")));
    expect(texts()).toEqual(["The run has ended."]);
  });

  it("carries the code and the request ID, to look up in the server's log", () => {
    act(() => toastError(new ApiError(409, "run_ended", "The run has ended.", "request-7")));
    expect(screen.getByText("run_ended request-7")).toBeTruthy();
  });

  it("says of a full disk what still works", () => {
    act(() => toastError(new ApiError(507, "disk_full", "database or disk is full")));
    expect(texts()[0]).toMatch(/Nothing was changed.*Reading still works/);
    expect(texts()[0]).not.toContain("database or disk is full");
  });

  it("has a sentence for a value that is not an error", () => {
    act(() => toastError("odd"));
    expect(texts()).toEqual(["Something went wrong."]);
  });
});

describe("the notices together", () => {
  it("are three at most, the newest", () => {
    for (const text of ["1", "2", "3", "4"]) act(() => toast(text));
    expect(texts()).toEqual(["2", "3", "4"]);
  });

  it("are read out without interrupting", () => {
    expect(screen.getByRole("region", { name: "Notices" }).getAttribute("aria-live")).toBe("polite");
  });
});
