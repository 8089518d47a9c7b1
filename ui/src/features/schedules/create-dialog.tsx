/** Adds a schedule to a flow, with a preview of its due times. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { createSchedule } from "../../api/schedules";
import { blankSchedule, contentOf, newSchedule, type ScheduleTexts, textsOf } from "../../lib/schedule-form";
import { localZone } from "../../lib/time";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";
import { LivePreview, usePreview } from "./due-times";
import { problemOf, useFocusOn } from "./field-problem";
import { PolicyFields } from "./policy-fields";
import { RunFields, TimeFields } from "./schedule-fields";

interface Props {
  flowId: string;
  /** The flow's parameters without a default. */
  required: readonly string[];
  onClose: () => void;
}

const NO_HELP = () => undefined;

export default function CreateDialog({ flowId, required, onClose }: Props) {
  const [blank] = useState(() => blankSchedule(localZone()));
  const [texts, setTexts] = useState(() => textsOf(blank));
  const client = useQueryClient();
  const create = useMutation({
    mutationFn: createSchedule,
    onSuccess: (description) => {
      toast(`${description}: added; its next runs are planned.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  const set = (change: Partial<ScheduleTexts>) => {
    create.reset(); // what was refused is being corrected
    setTexts((now) => ({ ...now, ...change }));
  };
  const schedule = newSchedule(texts);
  const preview = usePreview(
    flowId,
    useMemo(() => contentOf(blank, texts), [blank, texts]),
  );
  const refused = problemOf(create.error);
  const problem = refused ?? problemOf(preview.error);
  useFocusOn(refused?.field);
  return (
    <ConfirmDialog
      title="Add a schedule"
      isOpen
      onClose={onClose}
      keep="Don't add"
      confirm="Add schedule"
      isPending={create.isPending}
      isDisabled={schedule === null}
      error={refused ? null : create.error}
      hasReason={false}
      onConfirm={() => schedule && create.mutate({ flowId, ...schedule })}
    >
      <p className="muted">It is active at once. Deployments don't change it.</p>
      <TimeFields kind={blank.kind} texts={texts} set={set} help={NO_HELP} problem={problem} />
      <LivePreview preview={preview} />
      <RunFields texts={texts} set={set} problem={problem} required={required} />
      <PolicyFields texts={texts} set={set} help={NO_HELP} />
    </ConfirmDialog>
  );
}
