/** The content of an artifact. What a run has made is not trusted: texts stay texts, and only http and https addresses become links. */

import { useQuery } from "@tanstack/react-query";
import { type Artifact, type Cell, contentAddress, type Table, tableQuery, textQuery } from "../../api/artifacts";
import { counted } from "../../lib/counted";
import { Failure, Skeleton } from "../../ui/notice";

const MOST_ROWS = 100;
const MOST_CHARACTERS = 50_000;

export function ArtifactBody({ artifact, name }: { artifact: Artifact; name: string }) {
  switch (artifact.kind) {
    case "markdown":
      return <TextBody artifact={artifact} />;
    case "table":
      return <TableBody artifact={artifact} name={name} />;
    case "link":
      return <LinkBody artifact={artifact} />;
    case "image":
      return (
        <img
          className="artifact-image"
          key={artifact.updated}
          src={contentAddress(artifact)}
          alt={name}
          loading="lazy"
        />
      );
    case "progress":
      return <Progress percent={artifact.progress ?? 0} name={name} />;
    case "plot":
      return <p className="muted">A Vega-Lite spec. Nothing here draws it yet; download it.</p>;
    default:
      return null;
  }
}

function TextBody({ artifact }: { artifact: Artifact }) {
  const query = useQuery(textQuery(artifact));
  if (query.isPending) return <Skeleton rows={3} label="the text" />;
  if (query.isError) return <Failure error={query.error} retry={() => void query.refetch()} what="The text" />;
  return (
    <>
      <pre className="artifact-text">{query.data.slice(0, MOST_CHARACTERS)}</pre>
      {query.data.length > MOST_CHARACTERS && <p className="muted">The rest is in the download.</p>}
    </>
  );
}

function LinkBody({ artifact }: { artifact: Artifact }) {
  const query = useQuery(textQuery(artifact));
  if (query.isPending) return <Skeleton rows={1} label="the link" />;
  if (query.isError) return <Failure error={query.error} retry={() => void query.refetch()} what="The link" />;
  if (!/^https?:\/\//i.test(query.data)) return <p className="mono">{query.data}</p>;
  return (
    <a className="link mono" href={query.data} target="_blank" rel="noopener noreferrer">
      {query.data}
    </a>
  );
}

function Progress({ percent, name }: { percent: number; name: string }) {
  return (
    <div className="row">
      <progress className="artifact-progress" max={100} value={percent} aria-label={name} />
      <span className="number">{percent.toLocaleString("en", { maximumFractionDigits: 1 })} %</span>
    </div>
  );
}

function TableBody({ artifact, name }: { artifact: Artifact; name: string }) {
  const query = useQuery(tableQuery(artifact));
  if (query.isPending) return <Skeleton rows={4} label="the table" />;
  if (query.isError) return <Failure error={query.error} retry={() => void query.refetch()} what="The table" />;
  return <Rows table={query.data} name={name} />;
}

function Rows({ table: { columns, rows }, name }: { table: Table; name: string }) {
  const rest = rows.length - MOST_ROWS;
  return (
    <div className="artifact-table">
      <table className="table wrap-table" aria-label={name}>
        <thead>
          <tr>
            {columns.map((column, index) => (
              <th key={index} scope="col" className={typeof rows[0]?.[index] === "number" ? "right" : undefined}>
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map((row, index) => (
            <tr key={index}>
              {row.map((cell, place) => (
                <td key={place} className={typeof cell === "number" ? "number right" : undefined}>
                  {inWords(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rest > 0 && <p className="muted">{counted(rest, "more row")} in the download.</p>}
    </div>
  );
}

function inWords(cell: Cell): string {
  return cell === null ? "" : String(cell);
}
