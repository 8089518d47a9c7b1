import { act, renderHook } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type FakeServer, fakeServer, refusal } from "../test/server";
import { request, whenSignedOut } from "./http";
import { changePassword, currentSession, forgetUser, loadSession, setUp, signIn, signOut, useSession } from "./session";

const ALICE = {
  username: "alice",
  role: "admin",
  permissions: ["runs:cancel"],
  csrf_token: "csrf-7",
  must_change_password: false,
};
const INFO = { version: "1.2", site_name: "Site", setup_required: false, shortest_password: 8 };
let server: FakeServer;

/** The token that goes with the next change. */
async function sentToken(): Promise<string | null> {
  server.on("POST /probe", {});
  await request("POST", "/probe");
  return server.callsTo("POST /probe").at(-1)?.headers.get("X-CSRF-Token") ?? null;
}

beforeEach(() => {
  document.getElementById("boot")?.remove();
  server = fakeServer();
  forgetUser();
});

describe("the session at the start", () => {
  it("is what the page carries, without asking", async () => {
    const boot = document.createElement("script");
    boot.id = "boot";
    boot.type = "application/json";
    boot.textContent = JSON.stringify({
      me: { username: "bob", role: "viewer", permissions: [], csrfToken: "csrf-1", mustChangePassword: false },
      siteName: "Site",
      version: "1.2",
      setupRequired: false,
    });
    document.body.append(boot);
    await loadSession();
    expect(currentSession()).toMatchObject({ me: { username: "bob" }, siteName: "Site" });
    expect(server.calls).toEqual([]);
    await expect(sentToken()).resolves.toBe("csrf-1");
  });

  it("is asked for where the page carries none", async () => {
    server.on("GET /api/v1/info", INFO).on("GET /api/v1/me", ALICE);
    await loadSession();
    expect(currentSession()).toEqual({
      me: {
        username: "alice",
        role: "admin",
        permissions: ["runs:cancel"],
        csrfToken: "csrf-7",
        mustChangePassword: false,
      },
      siteName: "Site",
      version: "1.2",
      setupRequired: false,
      shortestPassword: 8,
    });
  });

  it("is nobody's where the server says so", async () => {
    server.on("GET /api/v1/info", INFO).on("GET /api/v1/me", () => refusal(401, "unauthenticated", "Sign in."));
    await loadSession();
    expect(currentSession().me).toBeNull();
  });

  it("is not nobody's where the server fails", async () => {
    server.on("GET /api/v1/info", INFO).on("GET /api/v1/me", () => refusal(500, "internal", "Oops."));
    await expect(loadSession()).rejects.toThrow("Oops.");
  });

  it("asks for nobody before the first user is set up", async () => {
    server.on("GET /api/v1/info", { ...INFO, setup_required: true });
    await loadSession();
    expect(currentSession()).toMatchObject({ me: null, setupRequired: true });
    expect(server.callsTo("GET /api/v1/me")).toEqual([]);
  });
});

describe("signing in and out", () => {
  it("takes the new user's token", async () => {
    server.on("POST /api/v1/login", ALICE);
    await signIn("alice", "secret");
    expect(server.bodies("POST /api/v1/login")).toEqual([{ username: "alice", password: "secret" }]);
    expect(currentSession().me?.username).toBe("alice");
    await expect(sentToken()).resolves.toBe("csrf-7");
  });

  it("changes nothing with a wrong password", async () => {
    server.on("POST /api/v1/login", () => refusal(401, "wrong_password", "Wrong."));
    await expect(signIn("alice", "x")).rejects.toThrow("Wrong.");
    expect(currentSession().me).toBeNull();
  });

  it("forgets the token with the user", async () => {
    server.on("POST /api/v1/login", ALICE);
    await signIn("alice", "secret");
    forgetUser();
    expect(currentSession().me).toBeNull();
    await expect(sentToken()).resolves.toBeNull();
  });

  it("tells the page when somebody signs out", async () => {
    const onSignedOut = vi.fn();
    whenSignedOut(onSignedOut);
    server.on("POST /api/v1/logout", {});
    await signOut();
    expect(onSignedOut).toHaveBeenCalledOnce();
  });

  it("goes on with what the changed password allows", async () => {
    server.on("POST /api/v1/login", { ...ALICE, permissions: ["self"], must_change_password: true });
    server.on("POST /api/v1/password", ALICE);
    await signIn("alice", "preset");
    expect(currentSession().me?.mustChangePassword).toBe(true);
    await changePassword({ current: "preset", new: "several words in a row", idempotencyKey: "key-1" });
    expect(server.bodies("POST /api/v1/password")).toEqual([{ current: "preset", new: "several words in a row" }]);
    expect(server.callsTo("POST /api/v1/password")[0]?.headers.get("Idempotency-Key")).toBe("key-1");
    expect(currentSession().me).toMatchObject({ mustChangePassword: false, permissions: ["runs:cancel"] });
  });

  it("sets up the first user and signs in", async () => {
    server.on("POST /api/v1/setup", {}).on("POST /api/v1/login", ALICE);
    await setUp("token", "alice", "secret");
    expect(server.calls.map((call) => call.path)).toEqual(["/api/v1/setup", "/api/v1/login"]);
    expect(currentSession()).toMatchObject({ me: { username: "alice" }, setupRequired: false });
  });
});

it("is seen by what is on the page", async () => {
  server.on("POST /api/v1/login", ALICE);
  const { result } = renderHook(useSession);
  expect(result.current.me).toBeNull();
  await act(() => signIn("alice", "secret"));
  expect(result.current.me?.username).toBe("alice");
  act(forgetUser);
  expect(result.current.me).toBeNull();
});
