import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { projectsQuery } from "../../api/life-cycle";

const TYPING_PAUSE = 250;

/** Chooses a project and, within it, the beginning of the location. The address holds both. */
export function ResultFilter({ project, prefix }: { project: string; prefix: string }) {
  const navigate = useNavigate();
  const projects = useQuery(projectsQuery(false)).data ?? [];
  const [text, setText] = useState(prefix);
  useEffect(() => {
    const timer = window.setTimeout(() => {
      if (project && text.trim() !== prefix)
        void navigate({ to: "/system/storage", search: { project, prefix: text.trim() || undefined }, replace: true });
    }, TYPING_PAUSE);
    return () => window.clearTimeout(timer);
  }, [text, project, prefix, navigate]);
  const names = projects.map(({ name }) => name);
  return (
    <div className="filter-bar">
      <select
        className="select"
        aria-label="Project"
        value={project}
        onChange={(event) => {
          setText("");
          void navigate({ to: "/system/storage", search: { project: event.target.value || undefined } });
        }}
      >
        <option value="">All projects</option>
        {(project && !names.includes(project) ? [project, ...names] : names).map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      {project && (
        <input
          className="input filter-input"
          type="search"
          aria-label="Beginning of the location"
          placeholder="Location begins with"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      )}
    </div>
  );
}
