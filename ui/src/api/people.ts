/** Users, the browsers in which they are signed in, and tokens: by REST, which alone has them, in its words. */

import { queryOptions } from "@tanstack/react-query";
import type { Keyed } from "../lib/keys";
import type { Role, Scope } from "../lib/people";
import { request } from "./http";
import { peopleKeys } from "./keys";

export interface User {
  id: string;
  username: string;
  role: Role;
  created: string;
  disabled: boolean;
  must_change_password: boolean;
}

/** A browser in which somebody is signed in; `current` is this one. */
export interface BrowserSession {
  id: string;
  created: string;
  last_used: string;
  expires_at: string;
  current: boolean;
  /** Of the sign-in, such as "Firefox on Linux"; empty if unknown. */
  browser: string;
  address: string;
}

export interface Token {
  id: string;
  name: string;
  prefix: string;
  scope: Scope;
  username: string;
  created: string;
  expires_at: string | null;
  last_used: string | null;
  /** The name of the agent to which it belongs, once that has enrolled. */
  agent: string | null;
}

/** The secret is shown once. */
export interface CreatedToken {
  token: string;
  view: Token;
}

async function list<T>(path: string, signal: AbortSignal): Promise<T[]> {
  return (await request<{ items: T[] }>("GET", path, undefined, signal)).items;
}

export const usersQuery = queryOptions({
  queryKey: peopleKeys.users,
  queryFn: ({ signal }) => list<User>("/api/v1/users", signal),
});

export const tokensQuery = queryOptions({
  queryKey: peopleKeys.tokens,
  queryFn: ({ signal }) => list<Token>("/api/v1/tokens", signal),
});

/** A user's sessions, or one's own. Signing in sends no event, so they are asked for whenever they are shown. */
export function sessionsQuery(userId: string | null) {
  return queryOptions({
    queryKey: peopleKeys.sessions(userId),
    queryFn: ({ signal }) =>
      list<BrowserSession>(userId === null ? "/api/v1/sessions" : `/api/v1/users/${userId}/sessions`, signal),
    staleTime: 0,
  });
}

function change<T>(method: string, path: string, { idempotencyKey, ...body }: Keyed<object>): Promise<T> {
  return request<T>(method, path, method === "DELETE" ? undefined : body, undefined, idempotencyKey);
}

export function createUser(
  user: Keyed<{ username: string; password: string; role: Role; must_change: boolean }>,
): Promise<User> {
  return change("POST", "/api/v1/users", user);
}

export function editUser(id: string, edit: Keyed<{ role?: Role; disabled?: boolean }>): Promise<User> {
  return change("PATCH", `/api/v1/users/${id}`, edit);
}

export function setPassword(id: string, password: Keyed<{ password: string; must_change: boolean }>): Promise<User> {
  return change("PUT", `/api/v1/users/${id}/password`, password);
}

export function deleteUser(id: string, key: Keyed<object>): Promise<void> {
  return change("DELETE", `/api/v1/users/${id}`, key);
}

export function endSessions(userId: string, key: Keyed<object>): Promise<void> {
  return change("DELETE", `/api/v1/users/${userId}/sessions`, key);
}

export function endOwnSession(id: string, key: Keyed<object>): Promise<void> {
  return change("DELETE", `/api/v1/sessions/${id}`, key);
}

/** Without `expires_in`, in seconds, it lasts for the site's usual time. */
export function createToken(
  token: Keyed<{ name: string; scope: Scope; username: string; expires_in?: number }>,
): Promise<CreatedToken> {
  return change("POST", "/api/v1/tokens", token);
}

/** The replaced token stays valid for `overlap` seconds. */
export function rotateToken(id: string, rotation: Keyed<{ overlap: number }>): Promise<CreatedToken> {
  return change("POST", `/api/v1/tokens/${id}/rotate`, rotation);
}

export function revokeToken(id: string, key: Keyed<object>): Promise<void> {
  return change("DELETE", `/api/v1/tokens/${id}`, key);
}
