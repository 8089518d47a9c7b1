import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { type Automation, automationQuery, createAutomation, editAutomation } from "../../api/automations";
import { ApiError } from "../../api/http";
import {
  acts,
  type Draft,
  draftOf,
  EVENTS,
  inputOf,
  kindsFor,
  missing,
  NEW,
  PERIODS,
  SUBJECTS,
  type Subject,
} from "../../lib/automations";
import { Dialog } from "../../ui/dialog";
import { FormEnd } from "../../ui/form-end";
import { SelectField } from "../../ui/select-field";
import { TextInput } from "../../ui/text-input";
import { toast } from "../../ui/toasts";
import { QueryBox } from "../runs/query-box";
import { ActionFields } from "./action-fields";
import { DryRunNote } from "./dry-run-note";
import { useAutomationChange } from "./use-automation-change";
import "./automations.css";

/** Writes the sentence of an automation, and shows meanwhile how often it would have acted. */
export function AutomationDialog({ automation, onClose }: { automation: Automation | null; onClose: () => void }) {
  const [draft, setDraft] = useState<Draft>(automation ? draftOf(automation) : NEW);
  const [isSubmitted, setSubmitted] = useState(false);
  const { save, isPending, error, theirs } = useSave(automation, onClose);
  const write = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }));
  const problem = missing(draft);
  const submit = () => {
    setSubmitted(true);
    if (!problem) save(draft);
  };
  return (
    <Dialog title={automation ? `Edit ${automation.name}` : "New automation"} isOpen isSticky onClose={onClose}>
      <form
        className="automation-form"
        noValidate
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <div className="form">
          <TextInput label="Name" value={draft.name} onChange={(name) => write({ name })} maxLength={100} autoFocus />
          <When draft={draft} write={write} />
          <ActionFields draft={draft} write={write} />
          <Limits draft={draft} write={write} />
        </div>
        <div className="form automation-side">
          <DryRunNote draft={draft} />
          {theirs && <p>It now says: “{theirs}” To replace that with what is in this form, save again.</p>}
          <FormEnd
            keep="Cancel"
            confirm={automation ? "Save automation" : "Create automation"}
            isPending={isPending}
            error={isSubmitted && problem ? new Error(problem) : error}
            onClose={onClose}
          />
        </div>
      </form>
    </Dialog>
  );
}

/** Saves on the version that was opened. If somebody else was faster, `theirs` is their sentence, and the next save replaces it. */
function useSave(opened: Automation | null, onSaved: () => void) {
  const client = useQueryClient();
  const [seen, setSeen] = useState(opened);
  const [theirs, setTheirs] = useState("");
  const change = useAutomationChange((draft: Draft) => {
    const input = inputOf(draft);
    return seen
      ? editAutomation({ ...input, automationId: seen.id, revision: seen.revision })
      : createAutomation(input);
  });
  const lookAgain = async (error: Error) => {
    if (!(seen && error instanceof ApiError && error.code === "conflict")) return;
    const now = await client.fetchQuery({ ...automationQuery(seen.id), staleTime: 0 }).catch(() => null);
    if (!now || now.automation.revision === seen.revision) return; // it was about something else, such as the name
    setSeen(now.automation);
    setTheirs(now.automation.sentence);
  };
  const saved = ({ name }: Automation) => {
    toast(`Automation ${name} is saved.`);
    onSaved();
  };
  return {
    save: (draft: Draft) => {
      if (!change.isPending) change.mutate(draft, { onSuccess: saved, onError: (error) => void lookAgain(error) });
    },
    isPending: change.isPending,
    error: change.error,
    theirs,
  };
}

interface Part {
  draft: Draft;
  write: (change: Partial<Draft>) => void;
}

function When({ draft, write }: Part) {
  const navigate = useNavigate();
  const input = useRef<HTMLInputElement>(null);
  const toggle = (event: string, isOn: boolean) =>
    write({ events: isOn ? [...draft.events, event] : draft.events.filter((one) => one !== event) });
  return (
    <>
      <SelectField
        label="When"
        value={draft.subject}
        options={SUBJECTS}
        onChange={(chosen) => {
          const subject = chosen as Subject;
          const keeps = kindsFor(subject).some(({ value }) => value === draft.kind);
          write({ subject, events: [EVENTS[subject][0][0]], q: "", kind: keeps ? draft.kind : NEW.kind });
        }}
      />
      <fieldset className="automation-events">
        <legend className="unseen">What has to happen</legend>
        {EVENTS[draft.subject].map(([event, words]) => (
          <label key={event} className="row">
            <input
              type="checkbox"
              checked={draft.events.includes(event)}
              onChange={({ target }) => toggle(event, target.checked)}
            />
            {words}
          </label>
        ))}
      </fieldset>
      {draft.subject === "run" ? (
        <div className="field">
          <span className="field-label">that matches</span>
          <QueryBox
            q={draft.q}
            onChange={(q) => write({ q })}
            input={input}
            refused={null}
            onOpen={(runId) => void navigate({ to: "/runs/$runId", params: { runId } })}
          />
        </div>
      ) : draft.subject === "appliance" ? null : (
        <TextInput
          label="that matches"
          value={draft.q}
          onChange={(q) => write({ q })}
          help={
            draft.subject === "agent"
              ? "agent:edge-* or label:gpu; empty: all"
              : "flow:etl-* or project:finance; empty: all"
          }
        />
      )}
    </>
  );
}

function Limits({ draft, write }: Part) {
  return (
    <>
      <div className="automation-rate">
        <TextInput
          label="At most"
          value={draft.atMost}
          onChange={(atMost) => write({ atMost })}
          inputMode="numeric"
          help={acts(draft.kind) ? "Such as 3; a bound is needed." : "Empty: as often as it happens."}
        />
        <SelectField label="per" value={draft.per} options={periods(draft.per)} onChange={(per) => write({ per })} />
      </div>
      <fieldset className="automation-events">
        <legend className="field-label">Unless</legend>
        {draft.subject === "run" && (
          <label className="row">
            <input
              type="checkbox"
              checked={draft.unlessKnown}
              onChange={({ target }) => write({ unlessKnown: target.checked })}
            />
            the failure is known
          </label>
        )}
        <label className="row">
          <input
            type="checkbox"
            checked={draft.unlessMaintenance}
            onChange={({ target }) => write({ unlessMaintenance: target.checked })}
          />
          there is maintenance
        </label>
      </fieldset>
    </>
  );
}

/** The usual periods, and the one that an automation has. */
function periods(per: string) {
  return PERIODS.some(({ value }) => value === per) ? PERIODS : [...PERIODS, { value: per, text: `${per} s` }];
}
