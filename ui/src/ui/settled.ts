import { useEffect, useState } from "react";

const PAUSE = 300;

/** The value as it was when it had last stayed the same for a third of a second, such as after typing. Objects must be memoised. */
export function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(value), PAUSE);
    return () => window.clearTimeout(timer);
  }, [value]);
  return settled;
}
