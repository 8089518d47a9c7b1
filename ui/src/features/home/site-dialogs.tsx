import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";
import { countsQuery } from "../../api/flow-runs";
import { kindOf } from "../../lib/bulk";
import { toast } from "../../ui/toasts";
import { BulkDialog } from "../bulk/bulk-dialog";

const ACTIVE = { stateTypes: ["PENDING", "RUNNING"] };
const MaintenanceDialog = lazy(() => import("../system/maintenance-dialog"));

export type SiteDialog = "pause" | "stop";

/** The dialogs of what stops the whole site: no more starts, or an end to what runs. */
export function SiteDialogs({ open, onClose }: { open: SiteDialog | null; onClose: () => void }) {
  return (
    <>
      <Suspense>{open === "pause" && <MaintenanceDialog onClose={onClose} />}</Suspense>
      {open === "stop" && <StopAll onClose={onClose} />}
    </>
  );
}

function StopAll({ onClose }: { onClose: () => void }) {
  const { data } = useQuery(countsQuery({ cancel: ACTIVE }));
  const count = data?.cancel;
  const isIdle = count?.total === 0;
  useEffect(() => {
    if (!isIdle) return;
    toast("No run is active, so there is nothing to stop.");
    onClose();
  }, [isIdle, onClose]);
  return (
    count &&
    !isIdle && (
      <BulkDialog
        target={{ kind: kindOf("cancel"), filter: ACTIVE, count }}
        selected={count}
        onClose={onClose}
        onDone={onClose}
      />
    )
  );
}
