/** Decides what happens to runs that came due during an outage: release or skip them. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Radio, RadioGroup } from "react-aria-components";
import { isOver } from "../../api/jobs";
import { releaseHold, type System, skipHeld } from "../../api/system";
import { runsIn } from "../../lib/bulk";
import { keyPerContent } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { Instant } from "../../ui/instant";
import { toast } from "../../ui/toasts";
import "../../ui/radios.css";

export default function HoldDialog({ hold, onClose }: { hold: System["hold"]; onClose: () => void }) {
  const [choice, setChoice] = useState<"release" | "skip">("release");
  const [withKey] = useState(keyPerContent);
  const client = useQueryClient();
  const navigate = useNavigate();
  const runs = runsIn(hold.runs);
  const decide = useMutation({
    mutationFn: (reason: string) =>
      choice === "release" ? releaseHold(reason).then(() => null) : skipHeld(withKey({ reason })),
    onSuccess: async (job) => {
      onClose();
      toast(job ? `Skipping ${runs}.` : `Released ${runs}; agents start them in order.`);
      await client.invalidateQueries();
      if (job && !isOver(job)) await navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });
    },
  });
  return (
    <ConfirmDialog
      title={`${runs} held after an outage`}
      isOpen
      onClose={onClose}
      keep="Keep holding"
      confirm={choice === "release" ? "Release runs" : "Skip runs"}
      isDanger={choice === "skip"}
      isPending={decide.isPending}
      error={decide.error}
      reasonHelp="Recorded with your decision."
      onConfirm={(reason) => decide.mutate(reason)}
    >
      <p className="muted">
        They were due {hold.before && <Instant at={hold.before} />} or earlier. Runs that come due later start as usual.
      </p>
      <RadioGroup
        className="radios radios-down"
        aria-label="What happens to them"
        value={choice}
        onChange={(value) => setChoice(value as "release" | "skip")}
      >
        <Radio className="radio" value="release">
          Release: they all start now, as fast as agents and limits allow
        </Radio>
        <Radio className="radio" value="skip">
          Skip: none of them run; all are marked as Skipped
        </Radio>
      </RadioGroup>
    </ConfirmDialog>
  );
}
