import type { Project } from "../../api/life-cycle";
import { sizeInWords } from "../../lib/banners";
import { counted } from "../../lib/counted";
import { LifeCycleMenu } from "../flow/life-cycle-menu";

const NEXT = "Delete runs or flows that are no longer needed, or have an administrator raise the quota.";

function quotasInWords({ mostRows, mostBytes, full }: Project["usage"]): string {
  const most = [mostRows > 0 && counted(mostRows, "row"), mostBytes > 0 && sizeInWords(mostBytes)].filter(Boolean);
  const quota = most.length > 0 ? `At most ${most.join(" and ")}.` : "No limit.";
  return full ? `${quota} ${NEXT}` : quota;
}

export function ProjectsTable({ projects }: { projects: readonly Project[] }) {
  return (
    <table className="table wrap-table">
      <thead>
        <tr>
          <th scope="col">Project</th>
          <th scope="col">Flows</th>
          <th scope="col">Stored</th>
          <th scope="col">
            <span className="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {projects.map(({ id, name, paused, archived, flowCount, usage }) => (
          <tr key={id}>
            <td className="strong">
              {name} {paused && <span className="mark">Paused</span>}
              {usage.full && <span className="mark">Full</span>}
            </td>
            <td className="number">{counted(flowCount, "flow")}</td>
            <td className="number" title={quotasInWords(usage)}>
              {counted(usage.rows, "row")}, {sizeInWords(usage.bytes)}
            </td>
            <td className="cell-action">
              <LifeCycleMenu
                subjects={[{ noun: "project", id, name, paused, archived }]}
                label={`Actions for ${name}`}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
