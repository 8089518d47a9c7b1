/** What happens to missed due times and to runs that would overlap. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Schedule } from "../../api/flows";
import { setPolicy } from "../../api/schedules";
import {
  CATCH_UP,
  type CatchUp,
  OVERLAP,
  type Overlap,
  type Policy,
  policyInWords,
  readCount,
  readWindow,
  windowText,
} from "../../lib/schedules";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { SelectField } from "../../ui/select-field";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";

const MOST_CAUGHT_UP = 10_000;

export default function PolicyDialog({ schedule, onClose }: { schedule: Schedule; onClose: () => void }) {
  const [catchUp, setCatchUp] = useState<CatchUp>(schedule.catchUp);
  const [cap, setCap] = useState(String(schedule.catchUpCap));
  const [minutes, setMinutes] = useState(windowText(schedule.catchUpWindow));
  const [overlap, setOverlap] = useState<Overlap>(schedule.overlap);
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: (policy: Policy) => setPolicy(schedule.id, policy),
    onSuccess: (_, policy) => {
      toast(`${schedule.description}: ${policyInWords(policy).replace(/^./, (letter) => letter.toLowerCase())}.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  const most = readCount(cap, MOST_CAUGHT_UP);
  const window = readWindow(minutes);
  const policy =
    most === null || window === null ? null : { catchUp, catchUpCap: most, catchUpWindow: window || null, overlap };
  return (
    <ConfirmDialog
      title={`Policies of “${schedule.description}”`}
      isOpen
      onClose={onClose}
      keep="Keep as is"
      confirm="Save"
      isPending={save.isPending}
      isDisabled={policy === null}
      error={save.error}
      hasReason={false}
      onConfirm={() => policy && save.mutate(policy)}
    >
      <SelectField
        label="Due times missed while the appliance was down"
        value={catchUp}
        onChange={(value) => setCatchUp(value as CatchUp)}
        options={CATCH_UP}
      />
      {catchUp === "all" && (
        <TextInput
          label="Maximum number, latest first"
          value={cap}
          onChange={setCap}
          inputMode="numeric"
          error={most === null ? `Enter a whole number from 1 to ${MOST_CAUGHT_UP.toLocaleString("en")}.` : ""}
        />
      )}
      {catchUp !== "none" && (
        <TextInput
          label="Ignore those overdue by more than (minutes)"
          value={minutes}
          onChange={setMinutes}
          inputMode="decimal"
          help="Leave it empty to ignore none."
          error={window === null ? "Enter a number of minutes above 0, or leave it empty." : ""}
        />
      )}
      <SelectField
        label="When a run is due while an older one is still active"
        value={overlap}
        onChange={(value) => setOverlap(value as Overlap)}
        options={OVERLAP}
      />
    </ConfirmDialog>
  );
}
