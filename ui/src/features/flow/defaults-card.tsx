/** What new runs of the flow have beside what its code says, set without a new version. */

import { useState } from "react";
import { Button } from "react-aria-components";
import type { Flow } from "../../api/flows";
import { inWords } from "../../lib/flow-defaults";
import { useMay, useWriting } from "../session/permissions";
import { DefaultsDialog } from "./defaults-dialog";

export function DefaultsCard({ flow }: { flow: Flow }) {
  const may = useMay();
  const writing = useWriting();
  const [isOpen, setOpen] = useState(false);
  const rows = inWords(flow.defaults);
  return (
    <section className="card" aria-labelledby="defaults">
      <div className="card-head">
        <h2 id="defaults">Defaults of new runs</h2>
        <span className="spring" />
        {may("flows:edit") && (
          <span title={writing.reason}>
            <Button className="button small quiet" isDisabled={!writing.allowed} onPress={() => setOpen(true)}>
              Change…
            </Button>
          </span>
        )}
      </div>
      {rows.length === 0 ? (
        <p className="card-note">As the code says.</p>
      ) : (
        <dl className="pairs">
          {rows.map(({ name, value }) => (
            <div key={name} style={{ display: "contents" }}>
              <dt>{name}</dt>
              <dd className="mono">{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <DefaultsDialog flow={flow} isOpen={isOpen} onClose={() => setOpen(false)} />
    </section>
  );
}
