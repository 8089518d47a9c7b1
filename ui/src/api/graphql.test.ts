import { beforeEach, describe, expect, it } from "vitest";
import { type FakeServer, fakeServer, graphqlError, refusal } from "../test/server";
import { type Document, execute } from "./graphql";
import { ApiError, setCsrfToken } from "./http";

const NAME: Document<{ flow: { name: string } }, { id: string }> = {
  text: "query Name($id: UUID!) { flow(id: $id) { name } }",
};
let server: FakeServer;

beforeEach(() => {
  server = fakeServer();
});

describe("a question", () => {
  it("sends its text and variables, and answers with the data", async () => {
    server.onField("flow", ({ id }) => ({ flow: { name: `flow ${id}` } }));
    await expect(execute(NAME, { id: "7" })).resolves.toEqual({ flow: { name: "flow 7" } });
    expect(server.calls[0]?.body).toMatchObject({ query: NAME.text, variables: { id: "7" } });
  });

  it("goes through the one door: it carries the CSRF token", async () => {
    setCsrfToken("csrf-7");
    server.onField("flow", { flow: null });
    await execute(NAME, { id: "7" });
    expect(server.calls[0]?.headers.get("X-CSRF-Token")).toBe("csrf-7");
    setCsrfToken("");
  });

  it("may be answered with null for what is not there", async () => {
    server.onField("flow", { flow: null });
    await expect(execute(NAME, { id: "7" })).resolves.toEqual({ flow: null });
  });
});

describe("a change", () => {
  const PAUSE: Document<{ pause: null }, { id: string }> = { text: "mutation Pause($id: UUID!) { pause(id: $id) }" };
  const keys = () => server.calls.map((call) => call.headers.get("Idempotency-Key"));

  it("has a key of its own, and a question has none", async () => {
    server.onField("pause", { pause: null });
    server.onField("flow", { flow: null });
    await execute(PAUSE, { id: "7" });
    await execute(PAUSE, { id: "7" });
    await execute(NAME, { id: "7" });
    const [first, second, question] = keys();
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(second).not.toBe(first);
    expect(question).toBeNull();
  });

  it("has the same key when it is sent again because no answer came", async () => {
    server.on("POST /graphql", () => refusal(503, "starting", "It starts."));
    await expect(execute(PAUSE, { id: "7" })).rejects.toThrow("It starts.");
    await expect(execute(PAUSE, { id: "8" })).rejects.toThrow("It starts.");
    server.on("POST /graphql", () => new Response(JSON.stringify({ data: { pause: null } })));
    await execute(PAUSE, { id: "7" });
    await execute(PAUSE, { id: "7" });
    const [first, other, again, later] = keys();
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(later).not.toBe(first);
  });

  it("has the same key after a proxy's page, and another one after the appliance's refusal", async () => {
    server.on("POST /graphql", () => new Response("<h1>404 page not found</h1>", { status: 404 }));
    await expect(execute(PAUSE, { id: "7" })).rejects.toMatchObject({ code: "http_404" });
    server.on("POST /graphql", () => refusal(409, "conflict", "It has ended."));
    await expect(execute(PAUSE, { id: "7" })).rejects.toThrow("It has ended.");
    await expect(execute(PAUSE, { id: "7" })).rejects.toThrow("It has ended.");
    const [first, again, later] = keys();
    expect(again).toBe(first);
    expect(later).not.toBe(first);
  });
});

describe("an error", () => {
  it("of the field is the server's code and sentence, though the status is 200", async () => {
    server.on("POST /graphql", () => graphqlError("not_found", "There is no such flow."));
    await expect(execute(NAME, { id: "7" })).rejects.toMatchObject({
      status: 200,
      code: "not_found",
      message: "There is no such flow.",
      requestId: "request-1",
    });
  });

  it("without a code is still one", async () => {
    server.on("POST /graphql", () => new Response(JSON.stringify({ errors: [{ message: "Syntax." }] })));
    await expect(execute(NAME, { id: "7" })).rejects.toMatchObject({ code: "graphql", message: "Syntax." });
  });

  it("is the first of several", async () => {
    const errors = [{ message: "First." }, { message: "Second." }];
    server.on("POST /graphql", () => new Response(JSON.stringify({ data: null, errors })));
    await expect(execute(NAME, { id: "7" })).rejects.toThrow("First.");
  });

  it("of the transport comes through as it is", async () => {
    server.on("POST /graphql", () => refusal(503, "starting", "It starts."));
    await expect(execute(NAME, { id: "7" })).rejects.toMatchObject({ status: 503, code: "starting" });
  });

  it("is what an answer without data and errors is", async () => {
    server.on("POST /graphql", () => new Response("{}"));
    const error = await execute(NAME, { id: "7" }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: "malformed" });
  });
});
