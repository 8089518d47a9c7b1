import type { Flow } from "../../api/flows";
import { LifeCycleMenu, type Subject } from "./life-cycle-menu";

/** The life cycle of a flow and of its project. */
export function FlowMenu({ flow }: { flow: Flow }) {
  const { id, name, paused, archived, project } = flow;
  const own: Subject = {
    noun: "flow",
    id,
    name,
    paused: paused && project.paused ? null : paused,
    archived: archived && project.archived ? null : archived,
  };
  const its: Subject = { noun: "project", ...project, header: `Project ${project.name}` };
  return <LifeCycleMenu subjects={[own, its]} label="More actions" />;
}
