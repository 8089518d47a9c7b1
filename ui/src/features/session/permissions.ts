import { useConnection } from "../../api/live";
import { useSession } from "../../api/session";
import type { Permission } from "../../lib/permissions";
import { useStale } from "../live/use-stale";

/** Whether the signed-in person has a permission; actions that they don't have permission for are not offered. */
export function useMay(): (permission: Permission) => boolean {
  const { me } = useSession();
  return (permission) => me?.permissions.includes(permission) ?? false;
}

/** Whether the signed-in person may start and stop things now, and if not, the reason to show. */
export function useWriting(): { allowed: boolean; reason: string } {
  const { me } = useSession();
  const { light } = useConnection();
  const stale = useStale();
  if (me?.role === "viewer")
    return { allowed: false, reason: "Your role is viewer; an operator or admin can do this." };
  if (stale !== null && light !== "live")
    return { allowed: false, reason: "The appliance can't be reached right now." };
  return { allowed: true, reason: "" };
}
