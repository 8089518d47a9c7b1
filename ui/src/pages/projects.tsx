import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { projectsQuery } from "../api/life-cycle";
import { ProjectsTable } from "../features/projects/projects-table";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

export function ProjectsPage() {
  usePageTitle("Projects");
  const isArchive = useSearch({ from: "/app/projects" }).show === "archive";
  const navigate = useNavigate();
  const query = useQuery(projectsQuery(isArchive));
  return (
    <div className="page page-full">
      <nav className="crumbs" aria-label="Breadcrumb">
        <Link to="/flows">Flows</Link>
        <span aria-hidden="true">/</span>
        <span aria-current="page">Projects</span>
      </nav>
      <div className="page-head">
        <h1>Projects</h1>
        <span className="muted number">{query.data?.length}</span>
      </div>
      <div className="filter-bar">
        <label className="row">
          <input
            type="checkbox"
            checked={isArchive}
            onChange={(event) =>
              void navigate({ to: "/projects", search: { show: event.target.checked ? "archive" : undefined } })
            }
          />
          In the archive
        </label>
      </div>
      <div className="card table-card fitted">
        <section className="table-box" aria-label="Projects" tabIndex={0}>
          {query.isPending ? (
            <Skeleton rows={6} label="projects" />
          ) : query.isError && !query.data ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The projects" />
          ) : query.data.length === 0 ? (
            <Empty title={isArchive ? "No projects are in the archive." : "No projects."}>
              {!isArchive && "Registering a flow creates its project."}
            </Empty>
          ) : (
            <ProjectsTable projects={query.data} />
          )}
        </section>
      </div>
    </div>
  );
}
