/** Two versions of a flow compared, part by part. */

import { useQuery } from "@tanstack/react-query";
import type { Flow } from "../../api/flows";
import { comparisonQuery, type PartComparison } from "../../api/life-cycle";
import { printJson } from "../../lib/json";
import { Empty, Failure, Skeleton } from "../../ui/notice";
import { SelectField } from "../../ui/select-field";

/** The numbers of two versions; the latest two if not given. */
export interface Pair {
  before?: number;
  after?: number;
}

interface Props {
  flow: Flow;
  pair: Pair;
  onChange: (pair: Pair) => void;
}

export function CompareVersions({ flow, pair, onChange }: Props) {
  const [newest, previous] = flow.versions;
  if (!newest || !previous) return <Empty title="There is only one version." />;
  const [from, to] = [pair.before ?? previous.number, pair.after ?? newest.number];
  const options = flow.versions.map(({ number }) => ({ value: String(number), text: `Version ${number}` }));
  return (
    <section className="card" aria-labelledby="compare">
      <div className="card-head">
        <h2 id="compare">Compare versions</h2>
      </div>
      <div className="card-body form">
        <div className="row">
          <SelectField
            label="From"
            value={String(from)}
            options={options}
            onChange={(value) => onChange({ ...pair, before: Number(value) })}
          />
          <SelectField
            label="To"
            value={String(to)}
            options={options}
            onChange={(value) => onChange({ ...pair, after: Number(value) })}
          />
        </div>
        <Differences flowId={flow.id} before={from} after={to} />
      </div>
    </section>
  );
}

export function Differences({ flowId, before, after }: { flowId: string; before: number; after: number }) {
  const query = useQuery(comparisonQuery(flowId, before, after));
  if (query.isPending) return <Skeleton rows={4} label="the comparison" />;
  if (query.isError) return <Failure error={query.error} retry={() => void query.refetch()} what="The comparison" />;
  if (query.data.length === 0) return <Empty title={`Versions ${before} and ${after} have the same content.`} />;
  return (
    <dl className="differences" aria-label={`From version ${before} to ${after}`}>
      {query.data.map((part) => (
        <Part key={part.part} part={part} />
      ))}
    </dl>
  );
}

function Part({ part }: { part: PartComparison }) {
  const title = part.part.replaceAll("_", " ");
  return (
    <>
      <dt>{title.charAt(0).toUpperCase() + title.slice(1)}</dt>
      {part.removed.map((name) => (
        <dd key={`-${name}`} className="removed">
          <span className="unseen">removed </span>− {name}
        </dd>
      ))}
      {part.added.map((name) => (
        <dd key={`+${name}`} className="added">
          <span className="unseen">added </span>+ {name}
        </dd>
      ))}
      {part.changed.map((change) => (
        <dd key={`~${change.name} ${change.field}`}>
          {`${change.name}: ${change.field}`.trimEnd()} changed from{" "}
          <span className="mono">{printJson(change.before)}</span> to{" "}
          <span className="mono">{printJson(change.after)}</span>
        </dd>
      ))}
    </>
  );
}
