/** How long the runs of a flow may take, and who said so. */

import { useState } from "react";
import { Button } from "react-aria-components";
import type { Flow } from "../../api/flows";
import { timeoutInWords } from "../../lib/run-timeout";
import { useMay, useWriting } from "../session/permissions";
import { RunTimeoutDialog } from "./run-timeout-dialog";

export function RunTimeoutCard({ flow }: { flow: Flow }) {
  const may = useMay();
  const writing = useWriting();
  const [isOpen, setOpen] = useState(false);
  return (
    <section className="card" aria-labelledby="run-timeout">
      <div className="card-head">
        <h2 id="run-timeout">Run timeout</h2>
        <span className="spring" />
        {may("limits:edit") && (
          <span title={writing.reason}>
            <Button className="button small quiet" isDisabled={!writing.allowed} onPress={() => setOpen(true)}>
              Change…
            </Button>
          </span>
        )}
      </div>
      <p className="card-note">{timeoutInWords(flow.runTimeout, flow.runTimeoutSource)}</p>
      <RunTimeoutDialog flow={flow} isOpen={isOpen} onClose={() => setOpen(false)} />
    </section>
  );
}
