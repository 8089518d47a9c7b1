/** A flow's latest version: who registered it, and its parameters. */

import { lazy, Suspense, useState } from "react";
import { Button } from "react-aria-components";
import type { Flow } from "../../api/flows";
import { printJson } from "../../lib/json";
import { versionName } from "../../lib/versions";
import { Instant } from "../../ui/instant";
import { Empty } from "../../ui/notice";
import { useMay, useWriting } from "../session/permissions";

const RollbackDialog = lazy(() => import("./rollback-dialog"));

/** `hasEarlier`: with a list of the earlier versions. */
export function VersionCard({ flow, hasEarlier = false }: { flow: Flow; hasEarlier?: boolean }) {
  const { version } = flow;
  return (
    <section className="card" aria-labelledby="version">
      <div className="card-head">
        <h2 id="version">{versionName(version)}</h2>
      </div>
      <dl className="pairs">
        {version.changes.length > 0 && (
          <>
            <dt>Changed</dt>
            <dd>{version.changes.join("; ")}</dd>
          </>
        )}
        <dt>Registered</dt>
        <dd>
          <Instant at={version.created} />
          {version.createdBy && ` by ${version.createdBy}`}
        </dd>
        <dt>Tasks</dt>
        <dd>
          {version.tasks.length}, {version.edges.length} edges
        </dd>
        {version.labels.length > 0 && (
          <>
            <dt>Labels</dt>
            <dd>{version.labels.join(", ")}</dd>
          </>
        )}
        {version.image && (
          <>
            <dt>Image</dt>
            <dd>
              <span className="mono">{version.image.name}</span>{" "}
              <span className="mono muted" title={version.image.digest || version.image.id}>
                {(version.image.digest || version.image.id).slice(0, "sha256:".length + 12)}
              </span>
            </dd>
          </>
        )}
        {version.sdkVersion && (
          <>
            <dt>SDK</dt>
            <dd>{version.sdkVersion}</dd>
          </>
        )}
      </dl>
      {hasEarlier && <EarlierVersions flow={flow} />}
    </section>
  );
}

function EarlierVersions({ flow }: { flow: Flow }) {
  const [chosen, setChosen] = useState<number | null>(null);
  const may = useMay()("flows:register") && !flow.archived;
  const writing = useWriting();
  const versions = flow.versions.filter((one) => one.number !== flow.version.number);
  if (versions.length === 0) return null;
  return (
    <>
      <ul className="task-names earlier" aria-label="Earlier versions">
        {versions.map((one) => (
          <li key={one.number}>
            <span>{versionName(one)}</span>
            <span className="muted">
              <Instant at={one.created} />
              {one.changes.length > 0 && ` · ${one.changes.join("; ")}`}
            </span>
            {may && (
              <Button
                className="button small"
                isDisabled={!writing.allowed}
                onPress={() => setChosen(one.number)}
                aria-label={`Roll back to version ${one.number}`}
              >
                Roll back…
              </Button>
            )}
          </li>
        ))}
      </ul>
      <Suspense>
        {chosen !== null && <RollbackDialog flow={flow} to={chosen} onClose={() => setChosen(null)} />}
      </Suspense>
    </>
  );
}

function typeOf(schema: Record<string, unknown>): string {
  if (typeof schema.format === "string") return schema.format;
  if (Array.isArray(schema.enum)) return "choice";
  if (typeof schema.type === "string") return schema.type;
  const options = schema.anyOf as { type?: string }[] | undefined;
  return options?.map((option) => option.type ?? "any").join(" or ") ?? "any";
}

export function ParametersCard({ flow }: { flow: Flow }) {
  const { parameters } = flow.version;
  return (
    <section className="card" aria-labelledby="parameters">
      <div className="card-head">
        <h2 id="parameters">Parameters</h2>
      </div>
      {parameters.length === 0 ? (
        <Empty title="No parameters." />
      ) : (
        <table className="table wrap-table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Type</th>
              <th scope="col">Default</th>
            </tr>
          </thead>
          <tbody>
            {parameters.map((parameter) => (
              <tr key={parameter.name}>
                <td className="strong">{parameter.name}</td>
                <td className="muted">{typeOf(parameter.schema)}</td>
                <td className="mono">
                  {parameter.required ? <span className="mark">required</span> : printJson(parameter.default)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
