/** The left pane: the run's tasks over time or as a table, all of them or those in one state. */

import { useEffect, useMemo, useState } from "react";
import { Button } from "react-aria-components";
import type { Run } from "../../api/flow-runs";
import { type Family, isTerminal } from "../../lib/states";
import { ofFamily, sizeOf } from "../../lib/task-groups";
import { parseSelection } from "../../lib/task-selection";
import { Empty, Failure, Skeleton } from "../../ui/notice";
import { Timeline } from "../timeline/timeline";
import { FamilyFilter } from "./family-filter";
import type { RunSearch } from "./search";
import { Tab } from "./tab";
import { TaskTable } from "./task-table";
import type { Tasks } from "./use-tasks";

interface Props {
  run: Run;
  list: Tasks;
  search: RunSearch;
  go: (change: Partial<RunSearch>) => void;
}

const NOBODY: ReadonlySet<string> = new Set();

export function Structure({ run, list, search, go }: Props) {
  const [family, setFamily] = useState<Family | null>(null);
  return (
    <section className="card pane" aria-label="Tasks">
      <div className="pane-head">
        <nav className="tabs" aria-label="Views of the tasks">
          <Tab label="Timeline" isCurrent={search.view !== "table"} onPress={() => go({ view: undefined })} />
          <Tab label="Table" isCurrent={search.view === "table"} onPress={() => go({ view: "table" })} />
        </nav>
        <span className="spring" />
        <FamilyFilter groups={list.groups} chosen={family} onChoose={setFamily} />
      </div>
      <Body run={run} list={list} search={search} go={go} family={family} showAll={() => setFamily(null)} />
      <Extent run={run} list={list} />
    </section>
  );
}

function Body({ run, list, search, go, family, showAll }: Props & { family: Family | null; showAll: () => void }) {
  const { expanded, toggle } = useExpanded(run, list, family, parentOf(search.task));
  const visible = useMemo(() => ofFamily(list.groups, family), [list.groups, family]);
  const view = { flowRunId: run.id, family, groups: visible, order: list.order };
  const selected = search.task ?? "";
  const select = (selection: string) => go({ task: selection === search.task ? undefined : selection });
  if (list.isPending) return <Skeleton rows={10} label="the tasks" />;
  if (list.error) return <Failure error={list.error} retry={list.retry} what="The tasks" />;
  if (list.groups.length === 0)
    return <Empty title={isTerminal(run.state.type) ? "No task ran." : "Tasks appear when the run starts."} />;
  if (visible.length === 0)
    return (
      <Empty
        title="No tasks are in this state anymore."
        action={
          <Button className="button" onPress={showAll}>
            Show all tasks
          </Button>
        }
      />
    );
  if (search.view === "table") return <TaskTable {...view} selected={selected} onSelect={select} />;
  return (
    <Timeline
      {...view}
      startTime={run.startTime}
      endTime={run.endTime}
      selected={selected}
      expanded={expanded}
      onToggle={toggle}
      onSelect={select}
    />
  );
}

/** Initially only the failed task is expanded, and that of a selected child; with a state filter all are, since the matches are often children. */
function useExpanded(run: Run, list: Tasks, family: Family | null, parent: string | null) {
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(run.cause?.taskSlug ? [run.cause.taskSlug] : []));
  const [folded, setFolded] = useState<{ family: Family | null; slugs: ReadonlySet<string> }>({
    family: null,
    slugs: NOBODY,
  });
  useEffect(() => {
    if (parent) setOpen((slugs) => (slugs.has(parent) ? slugs : new Set([...slugs, parent])));
  }, [parent]);
  const foldedHere = folded.family === family ? folded.slugs : NOBODY;
  const unfolded = useMemo(
    () => new Set(list.groups.map(({ taskSlug }) => taskSlug).filter((slug) => !foldedHere.has(slug))),
    [list.groups, foldedHere],
  );
  if (!family) return { expanded: open, toggle: (slug: string) => setOpen((slugs) => toggled(slugs, slug)) };
  return {
    expanded: unfolded,
    toggle: (slug: string) => setFolded({ family, slugs: toggled(foldedHere, slug) }),
  };
}

/** The task of a selected child. */
function parentOf(selection = ""): string | null {
  const chosen = parseSelection(selection);
  return chosen === null || chosen.mapIndex === null ? null : chosen.taskSlug;
}

function toggled(slugs: ReadonlySet<string>, slug: string): ReadonlySet<string> {
  const next = new Set(slugs);
  if (!next.delete(slug)) next.add(slug);
  return next;
}

/** Says how much of a very wide run is loaded; nothing once all of it is. */
function Extent({ run, list }: { run: Run; list: Tasks }) {
  if (!list.isCapped && !list.isLoadingMore) return null;
  const number = list.groups.reduce((sum, group) => sum + sizeOf(group), 0);
  const loaded = number.toLocaleString("en");
  const all = Math.max(run.taskCounts.total, number).toLocaleString("en");
  return (
    <div className="extent muted number" role="status">
      {list.isCapped ? `Showing the first ${loaded} of ${all} task runs.` : `Loading task runs: ${loaded} of ${all}.`}
    </div>
  );
}
