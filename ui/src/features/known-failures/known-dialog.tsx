/** Marks why a run failed as known, for a time or until its flow succeeds. */

import { useState } from "react";
import { Radio, RadioGroup } from "react-aria-components";
import { markFailure } from "../../api/known-failures";
import { readTime } from "../../lib/form-model";
import { morningsAfter } from "../../lib/known-failures";
import { withOffset } from "../../lib/local-time";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { TimeInput } from "../../ui/time-input";
import { toast } from "../../ui/toasts";
import { useKnownChange } from "./use-known-change";
import "../../ui/radios.css";
import "./known-failures.css";

interface Props {
  run: { id: string; flow: { name: string } };
  /** The task that failed; empty if no task is the cause. */
  task: string;
  message: string;
  onClose: () => void;
}

export default function KnownDialog({ run, task, message, onClose }: Props) {
  const [mornings] = useState(() => morningsAfter(new Date()));
  const [choice, setChoice] = useState("monday");
  const [date, setDate] = useState("");
  const [isSubmitted, setSubmitted] = useState(false);
  const reading = readTime(date);
  const chosen = mornings.find(({ id }) => id === choice);
  const error = choice === "date" && !reading.ok ? reading.error : "";
  const mark = useKnownChange(markFailure, () => {
    toast(`The failure of ${run.flow.name} is known.`);
    onClose();
  });
  const until = () => {
    if (chosen) return withOffset(chosen.at);
    return choice === "date" && reading.ok ? String(reading.value) : null;
  };
  return (
    <ConfirmDialog
      title={`Mark the failure of ${run.flow.name} as known?`}
      isOpen
      onClose={onClose}
      keep="Keep it open"
      confirm="Mark as known"
      isPending={mark.isPending}
      error={mark.error}
      reasonHelp="Shown in the inbox and on the pages of its runs."
      onConfirm={(reason) => {
        setSubmitted(true);
        if (!error) mark.mutate({ flowRunId: run.id, until: until(), reason });
      }}
    >
      <p className="known-message mono text-failed">
        {task && <b>{task}: </b>}
        {message}
      </p>
      <p className="muted">
        Home no longer lists or counts it, nor later runs of {run.flow.name} that fail for the same reason. The next
        success of the flow resolves it.
      </p>
      <RadioGroup className="radios radios-down" aria-label="Until when" value={choice} onChange={setChoice}>
        <Radio className="radio" value="resolved">
          Until it is resolved
        </Radio>
        {mornings.map(({ id, word }) => (
          <Radio key={id} className="radio" value={id}>
            At most until {word} 08:00
          </Radio>
        ))}
        <Radio className="radio" value="date">
          At most until another time
        </Radio>
      </RadioGroup>
      {choice === "date" && <TimeInput label="Time" value={date} onChange={setDate} error={isSubmitted ? error : ""} />}
    </ConfirmDialog>
  );
}
