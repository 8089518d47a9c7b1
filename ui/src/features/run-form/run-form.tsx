/** The form that starts a run: parameters, time, name, and the equivalent request. */

import { Link } from "@tanstack/react-router";
import type { KeyboardEvent } from "react";
import { Button, Radio, RadioGroup } from "react-aria-components";
import type { Run } from "../../api/flow-runs";
import type { Flow } from "../../api/flows";
import { isChanged } from "../../lib/form-model";
import { TextInput } from "../../ui/text-input";
import { TimeInput } from "../../ui/time-input";
import { ParameterField } from "../parameters/parameter-field";
import { useWriting } from "../session/permissions";
import { RequestView } from "./request-view";
import { AT, type RunFormState, useRunForm } from "./use-run-form";
import "./form.css";
import "../../ui/radios.css";

export function RunForm({ flow, source }: { flow: Flow; source: Run | null }) {
  const state = useRunForm(flow, source);
  const submitByKeys = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    state.submit();
  };
  return (
    <div className="page form-page">
      <Head flow={flow} source={source} />
      <form
        className="form-grid"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          state.submit();
        }}
        onKeyDown={submitByKeys}
      >
        <div className="form">
          <Summary state={state} />
          <Parameters state={state} flow={flow} />
          <When state={state} />
          <Buttons state={state} flow={flow} />
        </div>
        <RequestView
          flow={flow}
          parameters={state.parameters}
          scheduledTime={state.scheduledTime}
          name={state.name.trim()}
        />
      </form>
    </div>
  );
}

function Head({ flow, source }: { flow: Flow; source: Run | null }) {
  return (
    <header className="run-head">
      <nav className="crumbs" aria-label="Breadcrumb">
        <Link to="/flows">Flows</Link>
        <span aria-hidden="true">/</span>
        <Link to="/flows/$flowId" params={{ flowId: flow.id }}>
          {flow.name}
        </Link>
        <span aria-hidden="true">/</span>
        <span aria-current="page">Run</span>
      </nav>
      <h1>Run {flow.name}</h1>
      {source && <p className="muted">Filled in with the parameters of {source.name}.</p>}
    </header>
  );
}

function Summary({ state: { wrong, problem, form } }: { state: RunFormState }) {
  if (wrong.length === 0 && !problem) return null;
  return (
    <div id="form-summary" className="form-error" role="alert" tabIndex={-1}>
      {problem || (wrong.length === 1 ? "1 value needs attention:" : `${wrong.length} values need attention:`)}
      {wrong.length > 0 && (
        <ul>
          {wrong.map((one) => (
            <li key={one}>
              <a href={`#parameter-${one}`}>{one === AT ? "Start time" : one}</a>: {form.errors[one]}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Parameters({ state: { form }, flow }: { state: RunFormState; flow: Flow }) {
  return (
    <section className="card form-card" aria-labelledby="form-parameters">
      <div className="card-head">
        <h2 id="form-parameters">Parameters</h2>
        <span className="muted">version {flow.version.number}</span>
      </div>
      <div className="card-body">
        {form.fields.length === 0 && <p className="muted">This flow takes no parameters.</p>}
        {form.fields.map((field) => (
          <ParameterField
            key={field.name}
            field={field}
            text={form.texts[field.name] ?? ""}
            changed={isChanged(field, form.texts[field.name] ?? "")}
            error={form.errors[field.name]}
            onChange={(text) => form.edit(field.name, text)}
            onBlur={() => form.check(field.name)}
          />
        ))}
      </div>
    </section>
  );
}

function When({ state }: { state: RunFormState }) {
  const { form, when, setWhen, at, setAt, name, setName } = state;
  return (
    <section className="card form-card" aria-labelledby="form-when">
      <div className="card-head">
        <h2 id="form-when">When</h2>
      </div>
      <div className="card-body">
        <RadioGroup
          className="radios"
          aria-labelledby="form-when"
          value={when}
          onChange={(value) => setWhen(value as "now" | "later")}
        >
          <Radio className="radio" value="now">
            Now
          </Radio>
          <Radio className="radio" value="later">
            Later
          </Radio>
        </RadioGroup>
        {when === "later" && (
          <TimeInput
            id={`parameter-${AT}`}
            label="Start time"
            value={at}
            onChange={(value) => {
              setAt(value);
              form.setErrors(({ [AT]: _, ...rest }) => rest);
            }}
            help="In your time zone."
            error={form.errors[AT]}
          />
        )}
        <TextInput
          label="Run name (optional)"
          value={name}
          onChange={setName}
          help="Leave it empty for a generated name."
        />
      </div>
    </section>
  );
}

function Buttons({ state, flow }: { state: RunFormState; flow: Flow }) {
  const writing = useWriting();
  return (
    <div className="row">
      <span title={writing.reason}>
        <Button
          type="submit"
          className="button primary large"
          isPending={state.isPending}
          isDisabled={!writing.allowed}
        >
          {state.isPending ? "Creating…" : state.when === "now" ? "Run now" : "Schedule run"}
        </Button>
      </span>
      <Link to="/flows/$flowId" params={{ flowId: flow.id }} className="button quiet large">
        Back
      </Link>
      <span className="subtle">
        <kbd>Ctrl</kbd> <kbd>Enter</kbd>
      </span>
    </div>
  );
}
