import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import type { Flow } from "../../api/flows";
import { flow } from "../../test/builders";
import { notices, renderPage } from "../../test/render";
import { type FakeServer, fakeServer } from "../../test/server";
import { RunTimeoutCard } from "./run-timeout-card";

const SET = "setRunTimeout";
const MAY = { permissions: ["limits:edit"] };
let server: FakeServer;
const inputs = () => server.variables(SET).map(({ input }) => input);
const show = (more: Partial<Flow> = {}, options: Parameters<typeof renderPage>[1] = MAY) =>
  renderPage(<RunTimeoutCard flow={flow([], more)} />, options);
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

beforeEach(() => {
  server = fakeServer();
  server.onField(SET, ({ input }: Record<string, unknown>) => {
    const { flowId, seconds } = input as { flowId: string; seconds: number | null };
    return { [SET]: { flow: { id: flowId, runTimeout: seconds || null, runTimeoutSource: "operator" } } };
  });
});

it("says how long a run may take, and who said so", async () => {
  await show({ runTimeout: 7_200, runTimeoutSource: "code" });
  expect(screen.getByText("2 h (from the flow's code)")).toBeTruthy();
});

it("can't be changed by those who may not", async () => {
  await show({}, { permissions: [] });
  expect(screen.getByText("No limit (the site's default)")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Change…" })).toBeNull();
});

it("is changed to a duration", async () => {
  await show();
  press("Change…");
  fireEvent.change(screen.getByRole("textbox", { name: "Duration" }), { target: { value: "soon" } });
  press("Save");
  expect(screen.getByText(/Enter a duration/)).toBeTruthy();
  fireEvent.change(screen.getByRole("textbox", { name: "Duration" }), { target: { value: "90m" } });
  press("Save");
  await waitFor(() => expect(inputs()).toEqual([expect.objectContaining({ flowId: "flow-1", seconds: 5_400 })]));
  await waitFor(() => expect(notices()).toContain("Run timeout: 1 h 30 min (set here)."));
});

it.each([
  ["none", 0],
  ["code", null],
])("is changed to %s", async (choice, seconds) => {
  await show({ runTimeout: 60, runTimeoutSource: "operator" });
  press("Change…");
  fireEvent.change(screen.getByRole("combobox", { name: "A run may take" }), { target: { value: choice } });
  press("Save");
  await waitFor(() => expect(inputs()).toEqual([expect.objectContaining({ seconds })]));
});
