/** Every request to the server: same origin, session cookie, CSRF token, and one error type with a readable message. */

import { addressOf } from "../lib/base";
import { parseAnswer, printJson } from "../lib/json";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId = "",
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
    this.name = "ApiError";
  }
}

const UNREACHABLE = "The appliance can't be reached. Retrying automatically.";
let csrfToken = "";
let onSignedOut: () => void = () => {};

export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Called when the server says that no one is signed in. */
export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}

/** The session has ended: the user signed out, or the server said so. */
export function signedOut(): void {
  onSignedOut();
}

export async function request<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  key?: string,
): Promise<T> {
  const response = await send(method, path, body, signal, key);
  const answer = await parse(response);
  if (response.ok) return answer as T;
  const error = toError(response, answer);
  if (error.status === 401 && path !== "/api/v1/login") signedOut();
  throw error;
}

/** The body of an answer as it is. */
export async function requestText(path: string, signal?: AbortSignal): Promise<string> {
  const response = await send("GET", path, undefined, signal);
  if (response.ok) return response.text();
  const error = toError(response, await parse(response));
  if (error.status === 401) signedOut();
  throw error;
}

async function send(
  method: string,
  path: string,
  body: unknown,
  signal?: AbortSignal,
  key?: string,
): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrfToken) headers["X-CSRF-Token"] = csrfToken;
  if (key) headers["Idempotency-Key"] = key;
  try {
    return await fetch(addressOf(path), {
      method,
      headers,
      body: body === undefined ? undefined : printJson(body),
      credentials: "same-origin",
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "unreachable", UNREACHABLE);
  }
}

async function parse(response: Response): Promise<unknown> {
  const text = await response.text();
  if (!text) return null;
  try {
    return parseAnswer(text);
  } catch {
    if (!response.ok) return null;
    throw new ApiError(response.status, "malformed", "The server's response could not be read. Try again.");
  }
}

function toError(response: Response, answer: unknown): ApiError {
  const problem = (answer ?? {}) as {
    code?: string;
    message?: string;
    request_id?: string;
    details?: Record<string, unknown>;
  };
  const message = problem.message ?? fallback(response.status);
  const requestId = problem.request_id || response.headers.get("X-Request-Id") || "";
  return new ApiError(
    response.status,
    problem.code ?? `http_${response.status}`,
    message,
    requestId,
    problem.details ?? {},
  );
}

function fallback(status: number): string {
  if (status === 502 || status === 503 || status === 504) return "The appliance is not ready. Retrying automatically.";
  if (status >= 500) return "The server failed to answer. Try again; if the error persists, check the server's log.";
  return `The server rejected the request (${status}).`;
}
