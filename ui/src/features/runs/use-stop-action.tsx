import { type ReactNode, useState } from "react";
import { Button } from "react-aria-components";
import type { RunRow } from "../../api/flow-runs";
import { canStop } from "../../lib/states";
import { useWriting } from "../session/permissions";
import { StopDialog } from "./stop-dialog";

/** A button in the row of each run that can be stopped, and the dialog that it opens. */
export function useStopAction(): { actions: (run: RunRow) => ReactNode; dialog: ReactNode } {
  const [stopping, setStopping] = useState<RunRow | null>(null);
  const writing = useWriting();
  const actions = (run: RunRow) =>
    writing.allowed &&
    canStop(run.state.type) && (
      <Button className="button small quiet above" aria-label={`Stop ${run.name}`} onPress={() => setStopping(run)}>
        Stop…
      </Button>
    );
  return { actions, dialog: <StopDialog run={stopping} onClose={() => setStopping(null)} /> };
}
