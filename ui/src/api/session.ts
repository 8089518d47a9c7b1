/** Who is signed in: from the page's boot JSON, or fetched if it has none. By REST, which sets the session's cookie. */

import { useSyncExternalStore } from "react";
import type { Sort } from "../lib/run-filter";
import { ApiError, request, setCsrfToken, signedOut } from "./http";

export interface Me {
  username: string;
  role: string;
  permissions: string[];
  csrfToken: string;
  /** The session is good for nothing but changing the password, which somebody else set. */
  mustChangePassword: boolean;
}

export interface Session {
  me: Me | null;
  /** The views that this user had saved when the page was opened; missing after signing in here. */
  views?: readonly WireView[];
  siteName: string;
  version: string;
  setupRequired: boolean;
  /** Characters that a new password has at least. */
  shortestPassword: number;
}

/** A saved view, as REST has it. */
export interface WireView {
  id: string;
  name: string;
  q: string;
  sort: Sort | null;
  columns: string[];
  default: boolean;
}

/** The same from REST. */
interface WireMe {
  username: string;
  role: string;
  permissions: string[];
  csrf_token: string;
  must_change_password: boolean;
}

interface WireInfo {
  version: string;
  site_name: string;
  setup_required: boolean;
  shortest_password: number;
}

const NOBODY: Session = { me: null, siteName: "", version: "", setupRequired: false, shortestPassword: 12 };
let session: Session = NOBODY;
const listeners = new Set<() => void>();

function set(next: Session): void {
  session = next;
  setCsrfToken(next.me?.csrfToken ?? "");
  for (const listener of listeners) listener();
}

export function currentSession(): Session {
  return session;
}

export function useSession(): Session {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, currentSession);
}

/** Called once, before the first page. */
export async function loadSession(): Promise<void> {
  const boot = readBoot();
  if (boot) {
    set(boot);
    return;
  }
  const info = await request<WireInfo>("GET", "/api/v1/info");
  const me = info.setup_required ? null : await askMe();
  set({
    me,
    siteName: info.site_name,
    version: info.version,
    setupRequired: info.setup_required,
    shortestPassword: info.shortest_password,
  });
}

function readBoot(): Session | null {
  const element = document.getElementById("boot");
  return element ? (JSON.parse(element.textContent || "null") as Session | null) : null;
}

async function askMe(): Promise<Me | null> {
  try {
    return toMe(await request<WireMe>("GET", "/api/v1/me"));
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

function toMe({ csrf_token, must_change_password, ...me }: WireMe): Me {
  return { ...me, csrfToken: csrf_token, mustChangePassword: must_change_password };
}

export async function signIn(username: string, password: string): Promise<void> {
  const me = await request<WireMe>("POST", "/api/v1/login", { username, password });
  set({ ...session, me: toMe(me), setupRequired: false });
}

/** Ends all other sessions. */
export async function changePassword(change: { current: string; new: string; idempotencyKey: string }): Promise<void> {
  const { idempotencyKey, ...passwords } = change;
  const me = await request<WireMe>("POST", "/api/v1/password", passwords, undefined, idempotencyKey);
  set({ ...session, me: toMe(me) });
}

export async function setUp(token: string, username: string, password: string): Promise<void> {
  await request("POST", "/api/v1/setup", { token, username, password });
  set({ ...session, setupRequired: false });
  await signIn(username, password);
}

export async function signOut(): Promise<void> {
  await request("POST", "/api/v1/logout", {});
  signedOut();
}

/** The session has ended: signed out here, or the server said so. */
export function forgetUser(): void {
  set({ ...session, me: null, views: undefined });
}
