import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { systemQuery } from "../../api/system";
import { useMay, useWriting } from "../session/permissions";
import { type SiteDialog, SiteDialogs } from "./site-dialogs";

/** What stops the whole site: no more starts, and an end to what runs. */
export function SiteActions({ running }: { running: number }) {
  const { data: system } = useQuery(systemQuery);
  const may = useMay();
  const writing = useWriting();
  const [open, setOpen] = useState<SiteDialog | null>(null);
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
      <SiteDialogs open={open} onClose={() => setOpen(null)} />
    </>
  );
}
