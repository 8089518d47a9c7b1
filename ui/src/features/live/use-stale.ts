import { useConnection } from "../../api/live";
import { useNow } from "../../ui/clock";

const STALE_AFTER = 10_000;

/** Since when the page's data may be stale; null while it isn't. */
export function useStale(): number | null {
  const { light, heard } = useConnection();
  const now = useNow();
  if (light === "live" || light === "paused") return null;
  return now - heard > STALE_AFTER ? heard : null;
}
