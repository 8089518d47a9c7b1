import type { StateLook } from "../lib/states";
import { StateIcon } from "./state-icon";

/** A state as icon, word and colour. */
export function StatePill({ look, text }: { look: StateLook; text?: string }) {
  return (
    <span className={`pill family-${look.family}`}>
      <StateIcon look={look} />
      {text ?? look.word}
    </span>
  );
}
