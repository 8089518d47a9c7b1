import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FakeServer, fakeServer, refusal } from "../test/server";
import { ApiError, request, setCsrfToken, signedOut, whenSignedOut } from "./http";

let server: FakeServer;
const onSignedOut = vi.fn();
const headers = () => server.calls.at(-1)?.headers as Headers;
const failure = async (answer: Promise<unknown>): Promise<ApiError> => {
  const error = await answer.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
};

beforeEach(() => {
  server = fakeServer();
  whenSignedOut(onSignedOut);
});

afterEach(() => {
  setCsrfToken("");
  onSignedOut.mockReset();
});

describe("a request", () => {
  it("carries its body as JSON and asks for JSON", async () => {
    server.on("POST /api/v1/bulk", { id: "1" });
    await expect(request("POST", "/api/v1/bulk", { action: "cancel" })).resolves.toEqual({ id: "1" });
    expect(server.bodies("POST /api/v1/bulk")).toEqual([{ action: "cancel" }]);
    expect(headers().get("Content-Type")).toBe("application/json");
    expect(headers().get("Accept")).toBe("application/json");
  });

  it("without a body says nothing of its type", async () => {
    server.on("GET /api/v1/info", {});
    await request("GET", "/api/v1/info");
    expect(headers().has("Content-Type")).toBe(false);
  });

  it("stays on this origin, with the session's cookie", async () => {
    const fetch = vi.fn(async (_path: string, _init: RequestInit) => new Response("{}"));
    vi.stubGlobal("fetch", fetch);
    await request("GET", "/api/v1/info");
    expect(fetch.mock.calls[0]?.[1].credentials).toBe("same-origin");
  });

  it("may be answered with nothing", async () => {
    server.on("DELETE /api/v1/concurrency-limits/1", () => new Response(null, { status: 204 }));
    await expect(request("DELETE", "/api/v1/concurrency-limits/1")).resolves.toBeNull();
  });
});

describe("the CSRF token", () => {
  it.each(["POST", "PUT", "PATCH", "DELETE"])("goes with %s", async (method) => {
    setCsrfToken("csrf-7");
    server.on(`${method} /x`, {});
    await request(method, "/x");
    expect(headers().get("X-CSRF-Token")).toBe("csrf-7");
  });

  it("doesn't go with what only reads", async () => {
    setCsrfToken("csrf-7");
    server.on("GET /x", {});
    await request("GET", "/x");
    expect(headers().has("X-CSRF-Token")).toBe(false);
  });

  it("isn't sent empty before anybody is signed in", async () => {
    server.on("POST /api/v1/login", {});
    await request("POST", "/api/v1/login", {});
    expect(headers().has("X-CSRF-Token")).toBe(false);
  });
});

describe("a refusal", () => {
  it("is the server's code, sentence, details and request", async () => {
    server.on("POST /x", () => refusal(409, "run_ended", "The run has ended.", { state: "SUCCESS" }));
    const error = await failure(request("POST", "/x"));
    expect(error).toMatchObject({
      status: 409,
      code: "run_ended",
      message: "The run has ended.",
      requestId: "request-1",
      details: { state: "SUCCESS" },
    });
  });

  it("takes the request's id from the header where the body has none", async () => {
    server.on("GET /x", () => new Response("{}", { status: 400, headers: { "X-Request-Id": "request-9" } }));
    expect((await failure(request("GET", "/x"))).requestId).toBe("request-9");
  });

  it.each([
    [404, "http_404", /\(404\)/],
    [500, "http_500", /server/i],
    [502, "http_502", /not ready/],
    [503, "http_503", /not ready/],
    [504, "http_504", /not ready/],
  ])("of a proxy, in HTML, still has a sentence: %d", async (status, code, sentence) => {
    server.on("GET /x", () => new Response("<html>oops</html>", { status }));
    const error = await failure(request("GET", "/x"));
    expect(error).toMatchObject({ status, code });
    expect(error.message).toMatch(sentence);
    expect(error.message).not.toContain("html");
  });
});

describe("an answer that can't be read", () => {
  it("is an error of its own, though the status says that all is well", async () => {
    server.on("GET /x", () => new Response("<html>a login page of a proxy</html>"));
    expect(await failure(request("GET", "/x"))).toMatchObject({ status: 200, code: "malformed" });
  });
});

describe("a server that can't be reached", () => {
  it("has status 0 and a sentence", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    const error = await failure(request("GET", "/x"));
    expect(error).toMatchObject({ status: 0, code: "unreachable" });
    expect(error.message).toMatch(/can't be reached/);
  });

  it("is not what a request that was called off says", async () => {
    const aborted = new DOMException("Aborted", "AbortError");
    vi.stubGlobal("fetch", () => Promise.reject(aborted));
    const controller = new AbortController();
    controller.abort();
    await expect(request("GET", "/x", undefined, controller.signal)).rejects.toBe(aborted);
  });

  it("gives the signal on, so that a request can be called off", async () => {
    const fetch = vi.fn(async (_path: string, _init: RequestInit) => new Response("{}"));
    vi.stubGlobal("fetch", fetch);
    const { signal } = new AbortController();
    await request("GET", "/x", undefined, signal);
    expect(fetch.mock.calls[0]?.[1].signal).toBe(signal);
  });
});

describe("the end of the session", () => {
  it("is noticed at any request, and said before the error", async () => {
    server.on("GET /x", () => refusal(401, "unauthenticated", "Sign in."));
    await failure(request("GET", "/x"));
    expect(onSignedOut).toHaveBeenCalledOnce();
  });

  it("is not what a wrong password means", async () => {
    server.on("POST /api/v1/login", () => refusal(401, "wrong_password", "Wrong."));
    await failure(request("POST", "/api/v1/login", {}));
    expect(onSignedOut).not.toHaveBeenCalled();
  });

  it("is not what a missing permission means", async () => {
    server.on("POST /x", () => refusal(403, "forbidden", "No."));
    await failure(request("POST", "/x"));
    expect(onSignedOut).not.toHaveBeenCalled();
  });

  it("can be somebody's own wish", () => {
    signedOut();
    expect(onSignedOut).toHaveBeenCalledOnce();
  });
});
