import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Button } from "react-aria-components";
import { countsQuery } from "../../api/flow-runs";
import { systemQuery } from "../../api/system";
import { kindOf } from "../../lib/bulk";
import { BulkDialog } from "../bulk/bulk-dialog";
import { useMay, useWriting } from "../session/permissions";

const ACTIVE = { stateTypes: ["PENDING", "RUNNING"] };
const MaintenanceDialog = lazy(() => import("../system/maintenance-dialog"));

/** What stops the whole site: no more starts, and an end to what runs. */
export function SiteActions({ running }: { running: number }) {
  const { data: system } = useQuery(systemQuery);
  const may = useMay();
  const writing = useWriting();
  const [open, setOpen] = useState<"pause" | "stop" | null>(null);
  const close = () => setOpen(null);
  const canPause = may("maintenance:manage") && system !== undefined && !system.maintenance.active;
  const canStop = may("runs:bulk") && may("runs:cancel") && running > 0;
  return (
    <>
      {canPause && (
        <Button className="button" isDisabled={!writing.allowed} onPress={() => setOpen("pause")}>
          Pause all starts…
        </Button>
      )}
      {canStop && (
        <Button className="button danger" isDisabled={!writing.allowed} onPress={() => setOpen("stop")}>
          Stop all runs…
        </Button>
      )}
      <Suspense>{open === "pause" && <MaintenanceDialog onClose={close} />}</Suspense>
      {open === "stop" && <StopAll onClose={close} />}
    </>
  );
}

function StopAll({ onClose }: { onClose: () => void }) {
  const { data } = useQuery(countsQuery({ cancel: ACTIVE }));
  const count = data?.cancel;
  return (
    count && (
      <BulkDialog
        target={{ kind: kindOf("cancel"), filter: ACTIVE, count }}
        selected={count}
        onClose={onClose}
        onDone={onClose}
      />
    )
  );
}
