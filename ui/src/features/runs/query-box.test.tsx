import { act, screen, waitFor, within } from "@testing-library/react";
import { type ReactNode, useRef, useState } from "react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Page, renderPage } from "../../test/render";
import { type FakeServer, fakeServer } from "../../test/server";
import { QueryBox } from "./query-box";

const RUN = "01890c5a-7b1e-7c3d-8f00-0123456789ab";
const onChange = vi.fn();
const onOpen = vi.fn();
const elsewhere: { change: (q: string) => void } = { change: () => {} };
let server: FakeServer;

/** The box on a page that keeps the query, as the address does. */
function Box({ start, refused = null }: { start: string; refused?: { token: string; sentence: string } | null }) {
  const [q, setQ] = useState(start);
  const input = useRef<HTMLInputElement>(null);
  elsewhere.change = setQ;
  const change = (next: string) => {
    onChange(next);
    setQ(next);
  };
  return <QueryBox q={q} onChange={change} input={input} refused={refused} onOpen={onOpen} />;
}

const show = (box: ReactNode): Promise<Page> => renderPage(box);
const input = () => screen.getByRole("combobox");
const tokens = () =>
  within(screen.getByRole("list", { name: "Filters" }))
    .getAllByTitle("Edit")
    .map((token) => token.textContent);

beforeEach(() => {
  server = fakeServer();
  server.onField("runSuggestions", { runSuggestions: [] });
  onChange.mockReset();
  onOpen.mockReset();
});

describe("the box for the query", () => {
  it("makes a token of a field and its value after a space", async () => {
    const { user } = await show(<Box start="etl" />);
    await user.type(input(), "state:failed");
    expect(tokens()).toEqual(["etl"]);
    expect(onChange).not.toHaveBeenCalled();
    await user.type(input(), " ");
    expect(tokens()).toEqual(["etl", "state:failed"]);
    expect(onChange).toHaveBeenCalledExactlyOnceWith("etl state:failed");
    expect(input()).toHaveProperty("value", "");
  });

  it("filters by a plain word while it is typed, and makes a token of it at Enter", async () => {
    const { user } = await show(<Box start="" />);
    await user.type(input(), "ord");
    await waitFor(() => expect(onChange).toHaveBeenCalledWith("ord"));
    expect(input()).toHaveProperty("value", "ord");
    await user.keyboard("{Enter}");
    expect(tokens()).toEqual(["ord"]);
    expect(onChange).toHaveBeenCalledTimes(1);
  });

  it("waits for the closing quotation mark", async () => {
    const { user } = await show(<Box start="" />);
    await user.type(input(), 'error:"timed out{Enter}');
    expect(onChange).not.toHaveBeenCalled();
    await user.type(input(), '"{Enter}');
    expect(onChange).toHaveBeenCalledExactlyOnceWith('error:"timed out"');
  });

  it("removes the last token with Backspace, but only from an empty box", async () => {
    const { user } = await show(<Box start="state:failed flow:etl" />);
    await user.type(input(), "ab{Backspace}{Backspace}");
    expect(tokens()).toEqual(["state:failed", "flow:etl"]);
    await user.keyboard("{Backspace}");
    expect(tokens()).toEqual(["state:failed"]);
    expect(onChange).toHaveBeenLastCalledWith("state:failed");
  });

  it("removes any token, and opens any for editing", async () => {
    const { user } = await show(<Box start="state:failed flow:etl since:7d" />);
    await user.click(screen.getByRole("button", { name: "Remove flow:etl" }));
    expect(onChange).toHaveBeenLastCalledWith("state:failed since:7d");
    await user.click(screen.getByRole("button", { name: "since:7d" }));
    expect(input()).toHaveProperty("value", "since:7d");
    expect(document.activeElement).toBe(input());
    await user.keyboard("{Backspace}{Backspace}1d{Enter}");
    expect(onChange).toHaveBeenLastCalledWith("state:failed since:1d");
  });

  it("follows an address that changes elsewhere", async () => {
    await show(<Box start="state:failed" />);
    act(() => elsewhere.change("state:late"));
    expect(tokens()).toEqual(["state:late"]);
    expect(onChange).not.toHaveBeenCalled();
  });

  it("shows which token was refused, and why", async () => {
    const sentence = "There is no state 'broken'.";
    await show(<Box start="flow:etl state:broken" refused={{ token: "state:broken", sentence }} />);
    expect(screen.getByRole("alert").textContent).toBe(sentence);
    expect(input().getAttribute("aria-invalid")).toBe("true");
    expect(input().getAttribute("aria-describedby")).toBe(screen.getByRole("alert").id);
    const marked = screen.getAllByRole("listitem").filter((item) => item.matches(".query-token-refused"));
    expect(marked.map((item) => within(item).getByTitle("Edit").textContent)).toEqual(["state:broken"]);
  });

  it("opens a run whose ID is pasted, and pastes anything else", async () => {
    const { user } = await show(<Box start="" />);
    await user.click(input());
    await user.paste(` ${RUN}\n`);
    expect(onOpen).toHaveBeenCalledExactlyOnceWith(RUN);
    expect(input()).toHaveProperty("value", "");
    await user.paste("orders");
    expect(input()).toHaveProperty("value", "orders");
    expect(onOpen).toHaveBeenCalledTimes(1);
  });

  it("suggests fields, then their values with how many runs each has", async () => {
    server.onField("runSuggestions", { runSuggestions: [{ value: "failed", runs: 3 }] });
    const { user } = await show(<Box start="flow:etl" />);
    await user.type(input(), "sta");
    await user.click(await screen.findByRole("option", { name: /^state:/ }));
    expect(input()).toHaveProperty("value", "state:");
    const value = await screen.findByRole("option", { name: /^failed/ });
    expect(value.textContent).toContain("3 runs");
    expect(server.variables("runSuggestions")).toEqual([{ field: "state", text: "", filter: { q: "flow:etl" } }]);
    await user.keyboard("{ArrowDown}{Enter}");
    expect(onChange).toHaveBeenLastCalledWith("flow:etl state:failed");
  });
});
