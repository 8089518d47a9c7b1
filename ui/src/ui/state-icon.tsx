import type { StateLook } from "../lib/states";

export function StateIcon({ look, size = 14 }: { look: Pick<StateLook, "icon">; size?: number }) {
  return (
    <svg className="state-icon" width={size} height={size} viewBox="0 0 12 12" aria-hidden="true">
      <path d={look.icon} />
    </svg>
  );
}
