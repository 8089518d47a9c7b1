/** What the page of a failed run says and offers about why it failed. */

import { lazy, Suspense, useState } from "react";
import { Button } from "react-aria-components";
import type { Cause, Run } from "../../api/flow-runs";
import { Instant } from "../../ui/instant";
import { useMay, useWriting } from "../session/permissions";
import { UnmarkButton } from "./unmark-button";

const KnownDialog = lazy(() => import("./known-dialog"));

/** Since when the failure is known, to whom, until when, and why. */
export function KnownLine({ cause }: { cause: Cause | null }) {
  const known = cause?.known;
  if (!known) return null;
  return (
    <div className="muted facts">
      <span>
        Known since <Instant at={known.markedAt} />, by {known.markedBy}, until{" "}
        {known.until === null ? "it is resolved" : <Instant at={known.until} />}
      </span>
      {known.reason && <span>{known.reason}</span>}
    </div>
  );
}

/** Marks it as known, or removes the mark; nothing once the flow has succeeded again. */
export function KnownButton({ run, task, message }: { run: Run; task: string; message: string }) {
  const may = useMay();
  const writing = useWriting();
  const [isOpen, setOpen] = useState(false);
  const { cause } = run;
  if (!cause || !may("runs:mark")) return null;
  if (cause.known) return <UnmarkButton knownFailureId={cause.known.id} flowName={run.flow.name} />;
  if (cause.lastSuccess && cause.lastSuccess > (run.endTime ?? run.state.at)) return null;
  return (
    <>
      <Button className="button" isDisabled={!writing.allowed} onPress={() => setOpen(true)}>
        Mark as known…
      </Button>
      <Suspense>
        {isOpen && <KnownDialog run={run} task={task} message={message} onClose={() => setOpen(false)} />}
      </Suspense>
    </>
  );
}
