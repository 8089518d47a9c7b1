/** Begins maintenance: no run starts until it ends. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Radio, RadioGroup } from "react-aria-components";
import { beginMaintenance } from "../../api/system";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";
import "../../ui/radios.css";

const HOUR = 3_600;
const LENGTHS = [
  { value: "half", seconds: HOUR / 2, label: "For 30 minutes" },
  { value: "two", seconds: 2 * HOUR, label: "For 2 hours" },
  { value: "night", seconds: 12 * HOUR, label: "For 12 hours" },
  { value: "open", seconds: null, label: "Until somebody ends it" },
] as const;

export default function MaintenanceDialog({ onClose }: { onClose: () => void }) {
  const [length, setLength] = useState<string>("two");
  const client = useQueryClient();
  const begin = useMutation({
    mutationFn: (reason: string) =>
      beginMaintenance(LENGTHS.find(({ value }) => value === length)?.seconds ?? null, reason),
    onSuccess: () => {
      onClose();
      toast("Maintenance has begun; no runs start until it ends.");
      return client.invalidateQueries();
    },
  });
  return (
    <ConfirmDialog
      title="Pause all starts?"
      isOpen
      onClose={onClose}
      keep="Keep starting runs"
      confirm="Begin maintenance"
      isPending={begin.isPending}
      error={begin.error}
      reasonHelp="Shown at the top of every page, and for every run that waits."
      onConfirm={(reason) => begin.mutate(reason)}
    >
      <p className="muted">
        No run starts, planned or not. Active runs continue. Runs that come due meanwhile start when it ends.
      </p>
      <RadioGroup className="radios radios-down" aria-label="How long" value={length} onChange={setLength}>
        {LENGTHS.map(({ value, label }) => (
          <Radio key={value} className="radio" value={value}>
            {label}
          </Radio>
        ))}
      </RadioGroup>
    </ConfirmDialog>
  );
}
