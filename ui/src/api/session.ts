/** Who is signed in. The page carries it as boot JSON; without that it is asked for. */

import { useSyncExternalStore } from "react";
import { ApiError, request, setCsrfToken } from "./http";

export interface Me {
  username: string;
  role: string;
  csrf_token: string;
  permissions: string[];
}

export interface Session {
  me: Me | null;
  siteName: string;
  version: string;
  setupRequired: boolean;
  docs: boolean;
}

interface Info {
  version: string;
  site_name: string;
  setup_required: boolean;
}

interface Boot extends Partial<Info> {
  me?: Me | null;
  docs?: boolean;
}

const NOBODY: Session = { me: null, siteName: "", version: "", setupRequired: false, docs: false };
let session: Session = NOBODY;
const listeners = new Set<() => void>();

function set(next: Session): void {
  session = next;
  setCsrfToken(next.me?.csrf_token ?? "");
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
  if (boot?.version !== undefined) {
    set(toSession(boot as Info, boot.me ?? null, boot.docs));
    return;
  }
  const info = await request<Info>("GET", "/api/v1/info");
  set(toSession(info, info.setup_required ? null : await askMe()));
}

function readBoot(): Boot | null {
  try {
    return JSON.parse(document.getElementById("boot")?.textContent || "null") as Boot | null;
  } catch {
    return null;
  }
}

async function askMe(): Promise<Me | null> {
  try {
    return await request<Me>("GET", "/api/v1/me");
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

function toSession(info: Info, me: Me | null, docs = false): Session {
  return { me, siteName: info.site_name, version: info.version, setupRequired: info.setup_required, docs };
}

export async function signIn(username: string, password: string): Promise<void> {
  const me = await request<Me>("POST", "/api/v1/login", { username, password });
  set({ ...session, me, setupRequired: false });
}

export async function setUp(token: string, username: string, password: string): Promise<void> {
  await request<unknown>("POST", "/api/v1/setup", { token, username, password });
  set({ ...session, setupRequired: false });
  await signIn(username, password);
}

export async function signOut(): Promise<void> {
  await request<unknown>("POST", "/api/v1/logout", {});
  forgetUser();
}

/** The session is over: signed out here, or the server said so. */
export function forgetUser(): void {
  set({ ...session, me: null });
}
