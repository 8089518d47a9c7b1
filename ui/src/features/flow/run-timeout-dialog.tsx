import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { type Flow, setRunTimeout } from "../../api/flows";
import { readTimeout, timeoutInWords, writeTimeout } from "../../lib/run-timeout";
import { BusyButton } from "../../ui/busy-button";
import { Dialog } from "../../ui/dialog";
import { SelectField } from "../../ui/select-field";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";

const CHOICES = [
  { value: "limit", text: "At most …" },
  { value: "none", text: "No limit" },
  { value: "code", text: "As the code says, or else the site" },
];

interface Props {
  flow: Flow;
  isOpen: boolean;
  onClose: () => void;
}

export function RunTimeoutDialog(props: Props) {
  return (
    <Dialog title="Run timeout" isOpen={props.isOpen} onClose={props.onClose}>
      <Form {...props} />
    </Dialog>
  );
}

function Form({ flow, onClose }: Props) {
  const client = useQueryClient();
  const [choice, setChoice] = useState("limit");
  const [text, setText] = useState(flow.runTimeout === null ? "" : writeTimeout(flow.runTimeout));
  const [isSubmitted, setSubmitted] = useState(false);
  const save = useMutation({
    mutationFn: (seconds: number | null) => setRunTimeout(flow.id, seconds),
    onSuccess: (saved) => {
      toast(`Run timeout: ${timeoutInWords(saved.runTimeout, saved.runTimeoutSource)}.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  const reading = choice === "limit" ? readTimeout(text) : { seconds: choice === "none" ? 0 : null };
  return (
    <form
      className="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setSubmitted(true);
        if ("seconds" in reading && !save.isPending) save.mutate(reading.seconds);
      }}
    >
      <SelectField
        label="A run may take"
        value={choice}
        onChange={setChoice}
        options={CHOICES}
        help="A run that takes longer is stopped and ends as TimedOut. This also applies to active runs."
      />
      {choice === "limit" && (
        <TextInput
          label="Duration"
          value={text}
          onChange={setText}
          error={isSubmitted && "error" in reading ? reading.error : ""}
          help="Such as 90m, 12h, or 2d."
          autoFocus
        />
      )}
      {save.error && (
        <p className="form-error" role="alert">
          {save.error.message}
        </p>
      )}
      <div className="row end">
        <Button className="button" onPress={onClose}>
          Close
        </Button>
        <BusyButton type="submit" className="button primary" isBusy={save.isPending}>
          Save
        </BusyButton>
      </div>
    </form>
  );
}
