/** The button that adds a schedule to a flow, for those who may. */

import { lazy, Suspense, useState } from "react";
import { Button } from "react-aria-components";
import type { Flow } from "../../api/flows";
import { useMay, useWriting } from "../session/permissions";

const CreateDialog = lazy(() => import("./create-dialog"));

export function AddSchedule({ flow }: { flow: Flow }) {
  const [open, setOpen] = useState(false);
  const may = useMay();
  const writing = useWriting();
  if (!may("schedules:edit") || flow.archived || !flow.version) return null;
  const required = flow.version.parameters.filter((one) => one.required).map((one) => one.name);
  return (
    <>
      <Button className="button small" isDisabled={!writing.allowed} onPress={() => setOpen(true)}>
        Add schedule…
      </Button>
      <Suspense>
        {open && <CreateDialog flowId={flow.id} required={required} onClose={() => setOpen(false)} />}
      </Suspense>
    </>
  );
}
