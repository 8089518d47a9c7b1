import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { flowsQuery } from "../../api/flows";
import { type Limit, setLimit } from "../../api/limits";
import { kindWord, LIMIT_KINDS, type LimitKind, limitInWords, PERIODS, readSlots } from "../../lib/limits";
import { BusyButton } from "../../ui/busy-button";
import { Dialog } from "../../ui/dialog";
import { SelectField } from "../../ui/select-field";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";

interface Props {
  limits: readonly Limit[];
  isOpen: boolean;
  onClose: () => void;
}

export function NewLimitDialog(props: Props) {
  return (
    <Dialog title="New limit" isOpen={props.isOpen} onClose={props.onClose}>
      <Form {...props} />
    </Dialog>
  );
}

function Form({ limits, onClose }: Props) {
  const client = useQueryClient();
  const [kind, setKind] = useState<LimitKind>("label");
  const [name, setName] = useState("");
  const [slots, setSlots] = useState("1");
  const [period, setPeriod] = useState("60");
  const [isSubmitted, setSubmitted] = useState(false);
  const flows = useInfiniteQuery({ ...flowsQuery(""), enabled: kind === "flow" });
  const create = useMutation({
    mutationFn: setLimit,
    onSuccess: (limit) => {
      toast(`${kindWord(limit.kind)} ${limit.name}: ${limitInWords(limit)}.`);
      onClose();
      return client.invalidateQueries();
    },
  });
  const reading = readSlots(slots);
  const isRate = kind === "task_rate";
  const existing = limits.find((limit) => limit.kind === kind && limit.name === name.trim());
  const nameError = isSubmitted && !name.trim() ? "Enter a name." : "";
  const slotsError = isSubmitted && "error" in reading ? reading.error : "";
  return (
    <form
      className="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setSubmitted(true);
        if (name.trim() && "slots" in reading && !create.isPending)
          create.mutate({ kind, name: name.trim(), slots: reading.slots, per: isRate ? Number(period) : null });
      }}
    >
      <SelectField
        label="Applies to"
        value={kind}
        onChange={(value) => setKind(value as LimitKind)}
        options={LIMIT_KINDS.map(({ id, word }) => ({ value: id, text: word }))}
        help={LIMIT_KINDS.find((one) => one.id === kind)?.help}
      />
      <TextInput
        label="Name"
        value={name}
        onChange={setName}
        error={nameError}
        list={kind === "flow" ? "limit-flows" : undefined}
        autoFocus
      />
      {kind === "flow" && (
        <datalist id="limit-flows">
          {flows.data?.pages
            .flatMap((page) => page.items)
            .map((flow) => (
              <option key={flow.id} value={`${flow.project.name}/${flow.name}`} />
            ))}
        </datalist>
      )}
      <TextInput
        label={isRate ? "Starts" : "Slots"}
        value={slots}
        onChange={setSlots}
        error={slotsError}
        inputMode="numeric"
        help={`${isRate ? "How many may start in the period." : "How many may run at once."} 0 pauses it: nothing starts.`}
      />
      {isRate && <SelectField label="In any" value={period} onChange={setPeriod} options={PERIODS} />}
      {existing && <p className="muted">This limit already exists ({limitInWords(existing)}); saving changes that.</p>}
      {create.error && (
        <p className="form-error" role="alert">
          {create.error.message}
        </p>
      )}
      <div className="row end">
        <Button className="button" onPress={onClose}>
          Close
        </Button>
        <BusyButton type="submit" className="button primary" isBusy={create.isPending}>
          {existing ? "Change limit" : "Create limit"}
        </BusyButton>
      </div>
    </form>
  );
}
