import { Link } from "@tanstack/react-router";
import type { Bundle } from "../../api/kept";
import { counted } from "../../lib/counted";
import { bytesInWords } from "../../lib/kept";
import { Instant } from "../../ui/instant";
import { SealedMark } from "./sealed-mark";
import "./storage.css";

export function BundlesTable({ bundles }: { bundles: readonly Bundle[] }) {
  return (
    <table className="table wrap-table kept-table">
      <thead>
        <tr>
          <th scope="col">Project</th>
          <th scope="col">Bundle</th>
          <th scope="col" className="right">
            Size
          </th>
          <th scope="col">Stored</th>
          <th scope="col">By</th>
          <th scope="col">Used by</th>
        </tr>
      </thead>
      <tbody>
        {bundles.map((bundle) => (
          <tr key={bundle.id}>
            <td className="muted">{bundle.projectName}</td>
            <th scope="row" className="mono" title={bundle.digest}>
              {bundle.digest.slice(0, 12)} {bundle.sealed && <SealedMark keyId={bundle.keyId} />}
            </th>
            <td className="right number nowrap">{bytesInWords(bundle.size)}</td>
            <td className="nowrap">
              <Instant at={bundle.created} />
            </td>
            <td>{bundle.createdBy}</td>
            <td>
              <Users bundle={bundle} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The flows whose versions name it, each a link. */
function Users({ bundle }: { bundle: Bundle }) {
  const more = bundle.userCount - bundle.usedBy.length;
  if (bundle.versionCount === 0)
    return <span className="muted">No version names it any more, so it will be removed.</span>;
  return (
    <>
      {bundle.usedBy.map(({ flowId, flowName }, index) => (
        <span key={flowId}>
          {index > 0 && ", "}
          <Link to="/flows/$flowId" params={{ flowId }}>
            {flowName}
          </Link>
        </span>
      ))}
      {more > 0 && ` and ${counted(more, "more flow")}`}
      <span className="muted"> ({counted(bundle.versionCount, "version")})</span>
    </>
  );
}
