/** The panels beside the logs: the run's parameters and its state history. */

import { Button } from "react-aria-components";
import type { Run } from "../../api/flow-runs";
import { sizeInWords } from "../../lib/banners";
import { toCommand } from "../../lib/form-model";
import { type Json, printJson } from "../../lib/json";
import { isUuid } from "../../lib/run-filter";
import { lookOf } from "../../lib/states";
import { formatDuration } from "../../lib/time";
import { copyText } from "../../ui/copy";
import { Instant } from "../../ui/instant";
import { Empty } from "../../ui/notice";
import { StatePill } from "../../ui/state-pill";

const show = (value: unknown) => (value === undefined ? "" : printJson(value));

export function ParametersPanel({ run }: { run: Run }) {
  const defined = run.version.parameters;
  const ofFlow = run.runConfig?.parametersOfFlow ?? [];
  const extra = Object.keys(run.parameters).filter((name) => !defined.some((one) => one.name === name));
  const rows = [...defined, ...extra.map((name) => ({ name, required: true, default: undefined }))];
  if (rows.length === 0)
    return (
      <section className="panel-scroll" aria-label="Parameters" tabIndex={0}>
        <Empty title="This flow takes no parameters." />
        <StartTable run={run} />
      </section>
    );
  const copy = (text: string, what: string) => copyText(text, `Parameters copied as ${what}.`);
  return (
    <section className="panel-scroll" aria-label="Parameters" tabIndex={0}>
      <table className="table wrap-table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Value</th>
            <th scope="col">Default</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((parameter) => {
            const isSet = parameter.name in run.parameters;
            const value = isSet ? run.parameters[parameter.name] : parameter.default;
            const changed = isSet && !parameter.required && show(value) !== show(parameter.default);
            return (
              <tr key={parameter.name}>
                <td className="strong">{parameter.name}</td>
                <td className="mono">
                  {show(value)}{" "}
                  {ofFlow.includes(parameter.name) ? (
                    <span className="mark">the flow's default</span>
                  ) : (
                    changed && <span className="mark">changed</span>
                  )}
                </td>
                <td className="mono muted">{parameter.required ? "" : show(parameter.default)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <div className="row panel-foot">
        <Button className="button" onPress={() => void copy(printJson(run.parameters, 2), "JSON")}>
          Copy as JSON
        </Button>
        <Button
          className="button"
          onPress={() =>
            void copy(
              toCommand(run.flow.name, run.flow.project.name, run.parameters as Record<string, Json>),
              "a command",
            )
          }
        >
          Copy as command
        </Button>
      </div>
      <StartTable run={run} />
    </section>
  );
}

const ORIGINS: Record<string, string> = {
  code: "the flow's code",
  flow: "the flow's defaults",
  schedule: "the schedule",
  run: "this run's request",
};

/** How the run is started, and who said each part. */
function StartTable({ run }: { run: Run }) {
  if (!run.runConfig) return null;
  const { kind, fields, labelsOrigin } = run.runConfig;
  const rows = [
    ...fields.map(({ name, value, origin }) => ({ name, value: show(value), origin })),
    { name: "labels", value: run.labels.join(", ") || "none", origin: labelsOrigin },
  ];
  return (
    <table className="table wrap-table" aria-label="Run config">
      <caption>{KINDS[kind] ?? kind}</caption>
      <thead>
        <tr>
          <th scope="col">Run config</th>
          <th scope="col">Value</th>
          <th scope="col">From</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, value, origin }) => (
          <tr key={name}>
            <td className="strong">{name}</td>
            <td className="mono">{value}</td>
            <td className="muted">{ORIGINS[origin] ?? origin}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const KINDS: Record<string, string> = {
  universal: "Starts on any agent",
  process: "Starts as a process",
  local: "Starts as a process",
  docker: "Starts in a Docker container",
  kubernetes: "Starts as a Kubernetes job",
};

export function StateHistory({ run }: { run: Run }) {
  return (
    <section className="panel-scroll" aria-label="State history" tabIndex={0}>
      <table className="table wrap-table history-table">
        <thead>
          <tr>
            <th scope="col" className="right">
              No.
            </th>
            <th scope="col">Time</th>
            <th scope="col">State and message</th>
            <th scope="col">By</th>
            <th scope="col" className="right">
              For
            </th>
          </tr>
        </thead>
        <tbody>
          {run.states.map((state, index) => {
            const next = run.states[index + 1];
            const restarted = index > 0 && state.attempt > (run.states[index - 1]?.attempt ?? 0) && state.attempt > 1;
            return (
              <tr key={`${state.version}`}>
                <td className="right number subtle">{state.version}</td>
                <td className="number nowrap">
                  <Instant at={state.at} />
                </td>
                <td>
                  <StatePill look={lookOf(state)} />
                  {restarted && <span className="mark">attempt {state.attempt}</span>}
                  {state.message && <p>{state.message}</p>}
                </td>
                <td className="muted">{isUuid(state.actor) ? "the run" : state.actor}</td>
                <td className="right number nowrap">
                  {next && formatDuration(Date.parse(next.at) - Date.parse(state.at))}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <AttemptTable run={run} />
    </section>
  );
}

/** What each attempt has used, as its agent has measured it. */
function AttemptTable({ run }: { run: Run }) {
  if (run.attempts.length === 0) return null;
  return (
    <table className="table" aria-label="Attempts">
      <thead>
        <tr>
          <th scope="col">Attempt</th>
          <th scope="col" className="right">
            CPU time
          </th>
          <th scope="col" className="right">
            Peak memory
          </th>
        </tr>
      </thead>
      <tbody>
        {run.attempts.map(({ attempt, cpuSeconds, peakMemory }) => (
          <tr key={attempt}>
            <td className="number">{attempt}</td>
            <td className="right number">{cpuSeconds !== null && formatDuration(cpuSeconds * 1000)}</td>
            <td className="right number">{peakMemory !== null && sizeInWords(peakMemory)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
