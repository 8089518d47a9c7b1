import { useConnection } from "../../api/live";
import { useNow } from "../../ui/clock";

const STALE_AFTER = 10_000;

/** Whether what the page shows may be old, and since when. */
export function useStale(): number | null {
  const { light, heard } = useConnection();
  const now = useNow();
  if (light === "live" || light === "paused") return null;
  return now - heard > STALE_AFTER ? heard : null;
}
