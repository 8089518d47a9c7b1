import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import type { Run } from "../../api/flow-runs";
import type { Parameter } from "../../lib/form-model";
import { Numeral } from "../../lib/json";
import { flow, parameter, run } from "../../test/builders";
import { type Page, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError, held, refusal } from "../../test/server";
import { RunForm } from "./run-form";

const PARAMETERS = [
  parameter("region", { type: "string", description: "Where." }),
  parameter("size", { type: "integer", minimum: 1 }, 20),
  parameter("mode", { enum: ["full", "quick"] }, "full"),
  parameter("extra", { type: "object" }, {}),
];
let server: FakeServer;

function show(parameters: Parameter[] = PARAMETERS, source: Run | null = null, role?: "viewer"): Promise<Page> {
  const path = "/flows/flow-1/run";
  return renderPage(<RunForm flow={flow(parameters)} source={source} />, { path, role });
}

const control = (name: string) => {
  const element = document.getElementById(`parameter-${name}`) as HTMLElement;
  return (
    element.matches("input,select,textarea") ? element : element.querySelector("input,textarea")
  ) as HTMLInputElement;
};
const write = (name: string, value: string) => fireEvent.change(control(name), { target: { value } });
const submit = () => fireEvent.submit(document.querySelector("form") as HTMLFormElement);
const inputs = () => server.variables("createFlowRun").map((variables) => variables.input as Record<string, unknown>);
const summary = () => document.getElementById("form-summary");
const codes = () => [...document.querySelectorAll("pre")].map((code) => code.textContent ?? "");

beforeEach(() => {
  server = fakeServer();
  server.onField("createFlowRun", {
    createFlowRun: { flowRun: { id: "run-9", name: "new-otter" }, warnings: ["No live agent starts Docker runs."] },
  });
});

describe("the fields", () => {
  it("are one for each parameter, of its kind, with its default", async () => {
    await show();
    expect(control("region").value).toBe("");
    expect(control("size").value).toBe("20");
    expect(control("size").inputMode).toBe("numeric");
    expect(control("mode").tagName).toBe("SELECT");
    expect(control("extra").tagName).toBe("TEXTAREA");
  });

  it("say what is required, what was changed and what the default is", async () => {
    await show();
    const words = (name: string) => control(name).closest(".field")?.textContent ?? "";
    expect(words("region")).toMatch(/required.*Where\./);
    expect(words("size")).not.toContain("changed");
    write("size", "21");
    expect(words("size")).toMatch(/changed.*default 20/);
    write("size", "20");
    expect(words("size")).not.toContain("changed");
  });

  it("begin with another run's parameters, where it is run again", async () => {
    await show(PARAMETERS, run({ parameters: { region: "eu", size: 5 } }));
    expect([control("region").value, control("size").value, control("mode").value]).toEqual(["eu", "5", "full"]);
  });

  it("say what is wrong when one leaves them, and no more once it is put right", async () => {
    await show();
    write("size", "0");
    fireEvent.blur(control("size"));
    expect(control("size").closest(".field")?.textContent).toContain("Enter 1 or more.");
    expect(summary()).toBeNull();
    write("size", "1");
    expect(control("size").closest(".field")?.textContent).not.toContain("Enter 1 or more.");
  });

  it("that are empty are not scolded before they are sent", async () => {
    await show();
    fireEvent.blur(control("region"));
    expect(control("region").closest(".field")?.textContent).not.toContain("Enter a value.");
  });
});

describe("the request", () => {
  it("carries what differs from the defaults, and a key, and the run's page opens", async () => {
    const page = await show();
    write("region", "eu");
    write("mode", "quick");
    submit();
    await waitFor(() => expect(page.address()).toBe("/runs/run-9"));
    expect(inputs()).toEqual([
      {
        flowId: "flow-1",
        parameters: { region: "eu", mode: "quick" },
        idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    ]);
  });

  it("is sent once, however often one presses", async () => {
    const answer = held<object>();
    server.onField("createFlowRun", () => answer.promise);
    const page = await show([]);
    submit();
    submit();
    fireEvent.keyDown(document.querySelector("form") as HTMLFormElement, { key: "Enter", ctrlKey: true });
    await waitFor(() => expect(inputs()).toHaveLength(1));
    answer.release({
      createFlowRun: { flowRun: { id: "run-9", name: "new-otter" }, warnings: ["No live agent starts Docker runs."] },
    });
    await waitFor(() => expect(page.address()).toBe("/runs/run-9"));
    expect(inputs()).toHaveLength(1);
  });

  it("is sent by Ctrl and Enter from any field", async () => {
    await show([]);
    fireEvent.keyDown(document.querySelector("form") as HTMLFormElement, { key: "Enter", ctrlKey: true });
    await waitFor(() => expect(inputs()).toHaveLength(1));
  });

  it("is not sent by a viewer", async () => {
    await show([], null, "viewer");
    submit();
    expect(inputs()).toEqual([]);
    expect(document.querySelector<HTMLButtonElement>("button[type=submit]")?.disabled).toBe(true);
  });

  it("names a time, and needs one where it is for later", async () => {
    const page = await show([]);
    await page.user.click(screen.getAllByRole("radio")[1] as HTMLElement);
    submit();
    expect(inputs()).toEqual([]);
    expect(summary()?.textContent).toMatch(/Start time/);
    fireEvent.change(document.querySelector("input[type=datetime-local]") as HTMLElement, {
      target: { value: "2026-12-01T06:30" },
    });
    submit();
    await waitFor(() =>
      expect(inputs()).toMatchObject([{ scheduledTime: new Date("2026-12-01T06:30").toISOString() }]),
    );
  });
});

describe("what is wrong", () => {
  it("is listed at the top when it is sent, each with a link to its field, and has the focus", async () => {
    await show();
    write("size", "many");
    submit();
    expect([...(summary()?.querySelectorAll("a") ?? [])].map((link) => link.getAttribute("href"))).toEqual([
      "#parameter-region",
      "#parameter-size",
    ]);
    await waitFor(() => expect(document.activeElement).toBe(summary()));
    expect(inputs()).toEqual([]);
  });

  it("by the server's word stands at the parameter that it names", async () => {
    server.onField("createFlowRun", () => graphqlError("invalid", "Parameter 'region' is unknown here."));
    await show();
    write("region", "xx");
    submit();
    await waitFor(() => expect(control("region").closest(".field")?.textContent).toContain("is unknown here."));
    expect(summary()?.querySelectorAll("a")).toHaveLength(1);
  });

  it("otherwise stands at the top, and the form can be sent again under the same key", async () => {
    server.onField("createFlowRun", () => graphqlError("flow_paused", "The flow is paused."));
    await show([]);
    submit();
    await waitFor(() => expect(summary()?.textContent).toBe("The flow is paused."));
    submit();
    await waitFor(() => expect(inputs()).toHaveLength(2));
    expect(inputs()[0]?.idempotencyKey).toBe(inputs()[1]?.idempotencyKey);
  });

  it("has another key after a lost answer if the parameters were changed since", async () => {
    server.on("POST /graphql", () => refusal(503, "unavailable", "Not ready."));
    await show();
    for (const [sent, region] of ["eu", "us", "eu"].entries()) {
      write("region", region);
      submit();
      await waitFor(() => expect(inputs()).toHaveLength(sent + 1));
      await waitFor(() => expect(summary()?.textContent).toBe("Not ready."));
    }
    const [first, changed, again] = inputs().map((input) => input.idempotencyKey);
    expect(changed).not.toBe(first);
    expect(again).toBe(first);
  });
});

describe("a value that is easily changed on the way", () => {
  const sent = () => server.callsTo("POST /graphql").at(-1)?.text ?? "";
  const submitted = async () => {
    submit();
    await waitFor(() => expect(inputs()).toHaveLength(1));
    return sent();
  };

  it("arrives as it was typed", async () => {
    await show([parameter("id", { type: "integer" }), parameter("any", {})]);
    write("id", "9007199254740993");
    write("any", '{"rate": 1.0}');
    expect(codes().join()).toContain("-p id=9007199254740993");
    expect(codes().join()).toContain(`-p 'any={"rate":1.0}'`);
    expect(await submitted()).toContain('"parameters":{"id":9007199254740993,"any":{"rate":1.0}}');
  });

  it("of another run arrives as that run had it", async () => {
    const time = { type: "string", format: "date-time" };
    const parameters = [parameter("id", { type: "integer" }), parameter("at", time), parameter("rate", {})];
    const values = {
      id: new Numeral("9007199254740993"),
      at: "2026-10-25T02:30:00.123456+01:00",
      rate: new Numeral("1.0"),
    };
    await show(parameters, run({ parameters: values }));
    expect(control("at").type).toBe("text");
    expect(control("at").value).toBe("2026-10-25T02:30:00.123456+01:00");
    expect(await submitted()).toContain(
      '"parameters":{"id":9007199254740993,"at":"2026-10-25T02:30:00.123456+01:00","rate":1.0}',
    );
  });

  it("can be the empty text, which is not the same as none", async () => {
    const page = await show([parameter("note", { anyOf: [{ type: "string" }, { type: "null" }] }, "x")]);
    write("note", "");
    expect(codes().join()).toContain("-p note=null");
    await page.user.click(screen.getByRole("checkbox", { name: "Empty text" }));
    expect(codes().join()).toContain(`-p 'note=""'`);
    expect(await submitted()).toContain('"parameters":{"note":""}');
  });

  it("can be the text of a number beside that number", async () => {
    await show([parameter("level", { enum: ["1", 1] })]);
    write("level", '"1"');
    expect(await submitted()).toContain('"parameters":{"level":"1"}');
  });

  it("can be either of two times on one clock", async () => {
    const page = await show([parameter("at", { type: "string", format: "date-time" })]);
    write("at", "2026-10-25T02:30");
    submit();
    expect(control("at").closest(".field")?.textContent).toContain("This time occurs twice.");
    await page.user.click(screen.getByRole("button", { name: "Enter as text" }));
    write("at", "2026-10-25T02:30:00+01:00");
    expect(await submitted()).toContain('"parameters":{"at":"2026-10-25T02:30:00+01:00"}');
  });
});

it("shows the same as a command and as a request, as it is typed", async () => {
  await show();
  write("region", "it's");
  write("size", "21");
  const [command, request] = codes() as [string, string];
  expect(command).toBe(`appliance run etl --project main -p 'region="it'\\''s"' -p size=21`);
  expect(JSON.parse(request)).toEqual({ project: "main", flow: "etl", parameters: { region: "it's", size: 21 } });
});
