import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { Button, Radio, RadioGroup } from "react-aria-components";
import { createRun, type Run, runQuery } from "../api/flow-runs";
import { type Flow, flowQuery } from "../api/flows";
import { ApiError } from "../api/http";
import { flowKeys, flowRunKeys } from "../api/keys";
import { ParameterField } from "../features/parameter-field";
import { useWriting } from "../features/permissions";
import { useParameterForm } from "../features/use-parameter-form";
import { isChanged, type Json, readAll, toCommand } from "../lib/form-model";
import { newKey } from "../lib/keys";
import { Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { TextInput } from "../ui/text-input";
import { toast } from "../ui/toasts";
import { NoFlow } from "./flow";
import "../ui/form.css";

export function RunFormPage() {
  const { flowId } = useParams({ from: "/app/flows/$flowId/run" });
  const { from } = useSearch({ from: "/app/flows/$flowId/run" });
  const flow = useQuery(flowQuery(flowId));
  const source = useQuery({ ...runQuery(from ?? ""), enabled: Boolean(from) });
  usePageTitle(flow.data ? `Run ${flow.data.name}` : "Run");
  if (flow.isPending || (from && source.isPending)) return <Skeleton rows={10} label="the form" />;
  if (!flow.data && flow.isError)
    return <Failure error={flow.error} retry={() => void flow.refetch()} what="The flow" />;
  if (!flow.data) return <NoFlow />;
  return <RunForm key={flow.data.id} flow={flow.data} source={source.data ?? null} />;
}

function RunForm({ flow, source }: { flow: Flow; source: Run | null }) {
  const { fields, texts, errors, setErrors, edit, check } = useParameterForm(
    flow.version.parameters,
    source?.parameters,
  );
  const [when, setWhen] = useState<"now" | "later">("now");
  const [at, setAt] = useState("");
  const [name, setName] = useState("");
  const [problem, setProblem] = useState("");
  /** Names in the summary: set by a submit only, since a summary that appears on blur would move the button away. */
  const [refused, setRefused] = useState<string[]>([]);
  const [key] = useState(() => newKey()); // one per form: a request that is sent twice is one run
  const form = useRef<HTMLFormElement>(null);
  const navigate = useNavigate();
  const client = useQueryClient();
  const writing = useWriting();
  const submitted = useRef(false);

  const create = useMutation({
    mutationFn: createRun,
    onSuccess: async (run) => {
      toast(`Created run ${run.name}.`);
      void client.invalidateQueries({ queryKey: flowRunKeys.lists });
      void client.invalidateQueries({ queryKey: flowKeys.all });
      await navigate({ to: "/runs/$runId", params: { runId: run.id } });
    },
    onError: (error) => {
      submitted.current = false;
      const named = refusedName(
        error,
        fields.map((field) => field.name),
      );
      if (!named) {
        setProblem(error.message);
        return;
      }
      setErrors({ [named]: error.message });
      setRefused([named]);
    },
  });
  const { parameters, errors: found } = readAll(fields, texts);
  const scheduledTime = when === "later" && at ? toIso(at) : undefined;
  const submit = () => {
    if (submitted.current || !writing.allowed) return;
    const all = { ...found, ...(when === "later" && !scheduledTime ? { "when:at": "Enter a date and a time." } : {}) };
    setErrors(all);
    setRefused(Object.keys(all));
    setProblem("");
    if (Object.keys(all).length > 0) {
      document.getElementById("form-summary")?.focus();
      return;
    }
    submitted.current = true;
    create.mutate({
      flowId: flow.id,
      parameters,
      idempotencyKey: key,
      ...(name.trim() && { name: name.trim() }),
      ...(scheduledTime && { scheduledTime }),
    });
  };
  const wrong = refused.filter((one) => errors[one]);
  useEffect(() => {
    if (wrong.length > 0 || problem) document.getElementById("form-summary")?.focus();
  }, [wrong.length, problem]);

  return (
    <div className="page form-page">
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
      <form
        ref={form}
        className="form-grid"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            submit();
          }
        }}
      >
        <div className="form">
          {(wrong.length > 0 || problem) && (
            <div id="form-summary" className="form-error" role="alert" tabIndex={-1}>
              {problem ||
                (wrong.length === 1 ? "One value needs another look:" : `${wrong.length} values need another look:`)}
              {wrong.length > 0 && (
                <ul>
                  {wrong.map((one) => (
                    <li key={one}>
                      <a href={`#parameter-${one}`}>{one === "when:at" ? "Start time" : one}</a>: {errors[one]}
                    </li>
                  ))}
                </ul>
              )}
            </div>
          )}
          <section className="card form-card" aria-labelledby="form-parameters">
            <div className="card-head">
              <h2 id="form-parameters">Parameters</h2>
              <span className="muted">version {flow.version.number}</span>
            </div>
            <div className="card-body">
              {fields.length === 0 && <p className="muted">This flow takes no parameters.</p>}
              {fields.map((field) => (
                <ParameterField
                  key={field.name}
                  field={field}
                  text={texts[field.name] ?? ""}
                  changed={isChanged(field, texts[field.name] ?? "")}
                  error={errors[field.name]}
                  onChange={(text) => edit(field.name, text)}
                  onBlur={() => check(field.name)}
                />
              ))}
            </div>
          </section>
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
                  At a time
                </Radio>
              </RadioGroup>
              {when === "later" && (
                <TextInput
                  id="parameter-when:at"
                  label="Start time"
                  type="datetime-local"
                  value={at}
                  onChange={(value) => {
                    setAt(value);
                    setErrors(({ "when:at": _, ...rest }) => rest);
                  }}
                  help="In your zone."
                  error={errors["when:at"]}
                />
              )}
              <TextInput
                label="Run name (optional)"
                value={name}
                onChange={setName}
                help="A name is made up when you leave it empty."
              />
            </div>
          </section>
          <div className="row">
            <span title={writing.reason}>
              <Button
                type="submit"
                className="button primary large"
                isPending={create.isPending}
                isDisabled={!writing.allowed}
              >
                {create.isPending ? "Creating…" : when === "now" ? "Run now" : "Schedule run"}
              </Button>
            </span>
            <Link to="/flows/$flowId" params={{ flowId: flow.id }} className="button quiet large">
              Back
            </Link>
            <span className="subtle">
              <kbd>Ctrl</kbd> <kbd>Enter</kbd>
            </span>
          </div>
        </div>
        <RequestView flow={flow} parameters={parameters} scheduledTime={scheduledTime} name={name.trim()} />
      </form>
    </div>
  );
}

/** The parameter that a refusal is about: its error stands under its field, any other at the top. */
function refusedName(error: Error, names: string[]): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  return names.find((name) => error.message.includes(`'${name}'`) || error.message.includes(`"${name}"`));
}

function toIso(local: string): string | undefined {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

interface RequestProps {
  flow: Flow;
  parameters: Record<string, Json>;
  scheduledTime: string | undefined;
  name: string;
}

function RequestView({ flow, parameters, scheduledTime, name }: RequestProps) {
  const command = toCommand(flow.name, flow.project.name, parameters);
  const body = {
    project: flow.project.name,
    flow: flow.name,
    parameters,
    ...(name && { name }),
    ...(scheduledTime && { scheduled_time: scheduledTime }),
  };
  return (
    <aside className="request" aria-label="The same as a command and as a request">
      <CodeBlock
        title="As a command"
        text={command}
        note={scheduledTime || name ? "Starts now, with a name made up." : undefined}
      />
      <CodeBlock title="As a request: POST /api/v1/flow-runs" text={JSON.stringify(body, null, 2)} />
    </aside>
  );
}

function CodeBlock({ title, text, note }: { title: string; text: string; note?: string }) {
  const copy = async () => {
    await navigator.clipboard?.writeText(text);
    toast("Copied.");
  };
  return (
    <section className="card">
      <div className="card-head">
        <h2>{title}</h2>
        <span className="spring" />
        <Button className="button small quiet" onPress={() => void copy()}>
          Copy
        </Button>
      </div>
      <pre className="mono code">{text}</pre>
      {note && <p className="muted card-note">{note}</p>}
    </section>
  );
}
