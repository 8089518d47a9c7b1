/** What the tasks of a run have made for people to look at. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { type Artifact, contentAddress, pageAddress, runArtifactsQuery } from "../../api/artifacts";
import type { Run } from "../../api/flow-runs";
import { bytesInWords } from "../../lib/kept";
import { isTerminal } from "../../lib/states";
import { selectionOf } from "../../lib/task-selection";
import { Instant } from "../../ui/instant";
import { LoadMore } from "../../ui/load-more";
import { Empty, Failure, Skeleton } from "../../ui/notice";
import { ArtifactBody } from "./artifact-body";
import "./artifacts.css";

export default function ArtifactsPanel({ run }: { run: Run }) {
  const isLive = !isTerminal(run.state.type);
  const list = useInfiniteQuery(runArtifactsQuery(run.id, isLive));
  const artifacts = list.data?.pages.flatMap((page) => page.items) ?? [];
  if (list.isPending) return <Skeleton rows={4} label="artifacts" />;
  if (!list.data)
    return <Failure error={list.error} retry={() => void list.refetch()} what="The artifacts of this run" />;
  return (
    <section className="panel-scroll artifacts" aria-label="Artifacts" tabIndex={0}>
      {artifacts.length === 0 && (
        <Empty title={isLive ? "No artifacts yet." : "No artifacts."}>
          A task makes one with <code>artifacts.table(rows)</code>, and likewise <code>markdown</code>,{" "}
          <code>image</code>, <code>progress</code>, <code>link</code> or <code>file</code>.
        </Empty>
      )}
      {artifacts.map((artifact) => (
        <ArtifactCard key={artifact.id} artifact={artifact} />
      ))}
      <LoadMore list={list} />
    </section>
  );
}

function ArtifactCard({ artifact }: { artifact: Artifact }) {
  const name = artifact.title || artifact.key || artifact.fileName || KINDS[artifact.kind] || artifact.kind;
  const id = `artifact-${artifact.id}`;
  return (
    <article className="artifact" aria-labelledby={id}>
      <div className="artifact-head">
        <h3 id={id}>{name}</h3>
        <span className="muted">
          {KINDS[artifact.kind] ?? artifact.kind}
          {artifact.key && ` · ${artifact.key} ${artifact.version ?? ""}`}
          {artifact.taskSlug && (
            <>
              {" · "}
              <span className="mono">{selectionOf(artifact.taskSlug, artifact.mapIndex)}</span>
            </>
          )}{" "}
          · <Instant at={artifact.updated} />
        </span>
        <span className="spring" />
        {artifact.kind === "html" && (
          <a className="button small quiet" href={pageAddress(artifact)} target="_blank" rel="noopener noreferrer">
            Open
          </a>
        )}
        {artifact.kind !== "progress" && artifact.kind !== "link" && (
          <a className="button small quiet" href={contentAddress(artifact)} download aria-label={`Download ${name}`}>
            Download {bytesInWords(Number(artifact.size))}
          </a>
        )}
      </div>
      <ArtifactBody artifact={artifact} name={name} />
    </article>
  );
}

const KINDS: Record<string, string> = {
  markdown: "Markdown",
  table: "Table",
  link: "Link",
  image: "Image",
  progress: "Progress",
  plot: "Plot",
  html: "Page",
  file: "File",
};
