import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { type Limit, limitsQuery } from "../api/limits";
import { LimitsTable } from "../features/limits/limits-table";
import { NewLimitDialog } from "../features/limits/new-limit-dialog";
import { RemoveLimitDialog } from "../features/limits/remove-limit-dialog";
import { useMay, useWriting } from "../features/session/permissions";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";

export function LimitsPage() {
  usePageTitle("Limits");
  const query = useQuery(limitsQuery);
  const may = useMay()("limits:edit");
  const writing = useWriting();
  const [isAdding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Limit | null>(null);
  const add = () => may && writing.allowed && setAdding(true);
  useShortcuts("Limits", may ? [{ keys: "n", label: "New limit…", run: add }] : []);
  const limits = query.data ?? [];
  const button = may && (
    <Button className="button primary" isDisabled={!writing.allowed} onPress={add}>
      New limit…
    </Button>
  );
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Limits</h1>
        <span className="muted number">{query.data?.length}</span>
        <span className="spring" />
        {limits.length > 0 && button}
      </div>
      <div className="card table-card fitted">
        <section className="table-box" aria-label="Limits" tabIndex={0}>
          {query.isPending ? (
            <Skeleton rows={6} label="limits" />
          ) : query.isError && !query.data ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The limits" />
          ) : limits.length === 0 ? (
            <Empty title="No limits." action={button}>
              A limit sets how many may run at once: runs of one flow, runs with a label, or tasks with a tag; or how
              often tasks with a tag start. Without limits, only the capacity of the agents matters. On the command
              line: <code>appliance limit set KIND NAME SLOTS</code>.
            </Empty>
          ) : (
            <LimitsTable limits={limits} isEditable={may && writing.allowed} onRemove={setRemoving} />
          )}
        </section>
      </div>
      <NewLimitDialog limits={limits} isOpen={isAdding} onClose={() => setAdding(false)} />
      <RemoveLimitDialog limit={removing} onClose={() => setRemoving(null)} />
    </div>
  );
}
