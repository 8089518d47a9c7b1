import type { Project } from "../../api/life-cycle";
import { counted } from "../../lib/counted";
import { LifeCycleMenu } from "../flow/life-cycle-menu";

export function ProjectsTable({ projects }: { projects: readonly Project[] }) {
  return (
    <table className="table wrap-table">
      <thead>
        <tr>
          <th scope="col">Project</th>
          <th scope="col">Flows</th>
          <th scope="col">
            <span className="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {projects.map(({ id, name, paused, archived, flowCount }) => (
          <tr key={id}>
            <td className="strong">
              {name} {paused && <span className="mark">Paused</span>}
            </td>
            <td className="number">{counted(flowCount, "flow")}</td>
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
