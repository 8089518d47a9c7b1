import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import type { Flow } from "../../api/flows";
import { withDefaults } from "../../lib/flow-defaults";
import { flow, parameter } from "../../test/builders";
import { notices, renderPage } from "../../test/render";
import { type FakeServer, fakeServer } from "../../test/server";
import { DefaultsCard } from "./defaults-card";

const SET = "setFlowDefaults";
const MAY = { permissions: ["flows:edit"] };
const DEFAULTS = { parameters: { region: "eu" }, labels: ["big"], runConfig: { env: { MODE: "(not shown)" } } };
let server: FakeServer;
const inputs = () => server.variables(SET).map(({ input }) => input);
const show = (more: Partial<Flow> = {}, options: Parameters<typeof renderPage>[1] = MAY) =>
  renderPage(<DefaultsCard flow={flow([], more)} />, options);
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));
const write = (name: string, value: string) =>
  fireEvent.change(screen.getByRole("textbox", { name }), { target: { value } });

beforeEach(() => {
  server = fakeServer();
  server.onField(SET, () => ({ [SET]: { flow: { id: "flow-1", name: "etl" } } }));
});

it("says what new runs have beside the code, without values of variables", async () => {
  await show({ defaults: DEFAULTS });
  expect(screen.getByText('"eu"')).toBeTruthy();
  expect(screen.getByText("big")).toBeTruthy();
  expect(screen.getByText("MODE")).toBeTruthy();
});

it("says that the code decides, and can't be changed by those who may not", async () => {
  await show({}, { permissions: [] });
  expect(screen.getByText("As the code says.")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Change…" })).toBeNull();
});

it("is changed as a whole", async () => {
  await show({ defaults: DEFAULTS });
  press("Change…");
  write("Parameters", "[1]");
  press("Save");
  expect(screen.getByText(/Enter a JSON object/)).toBeTruthy();
  write("Parameters", "");
  write("Labels", "gpu,  big ,");
  press("Save");
  await waitFor(() =>
    expect(inputs()).toEqual([
      expect.objectContaining({
        flowId: "flow-1",
        parameters: {},
        labels: ["gpu", "big"],
        runConfig: { env: { MODE: "(not shown)" } },
      }),
    ]),
  );
  await waitFor(() => expect(notices()).toContain("New runs of etl have these defaults."));
});

it("takes the labels of the code again", async () => {
  await show({ defaults: DEFAULTS });
  press("Change…");
  fireEvent.click(screen.getByRole("checkbox", { name: "Labels of the code" }));
  press("Save");
  await waitFor(() => expect(inputs()).toEqual([expect.objectContaining({ labels: null })]));
});

it("is what the form for a new run starts with", () => {
  const parameters = [parameter("region", { type: "string" }, "us"), parameter("day", { type: "string" })];
  expect(
    withDefaults(flow(parameters, { defaults: DEFAULTS })).map(({ default: value, required }) => [value, required]),
  ).toEqual([
    ["eu", false],
    [null, true],
  ]);
});
