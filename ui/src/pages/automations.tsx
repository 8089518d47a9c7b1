import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { type Automation, automationsQuery, editAutomation } from "../api/automations";
import { AutomationDialog } from "../features/automations/automation-dialog";
import { AutomationsTable } from "../features/automations/automations-table";
import { useAutomationChange } from "../features/automations/use-automation-change";
import { useMay, useWriting } from "../features/session/permissions";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";
import { toast } from "../ui/toasts";

export function AutomationsPage() {
  usePageTitle("Automations");
  const query = useQuery(automationsQuery);
  const may = useMay()("automations:edit");
  const writing = useWriting();
  const [editing, setEditing] = useState<Automation | "new" | null>(null);
  const edit = useAutomationChange(editAutomation);
  const add = () => may && writing.allowed && setEditing("new");
  useShortcuts("Automations", may ? [{ keys: "n", label: "New automation…", run: add }] : []);
  const automations = query.data ?? [];
  const button = may && (
    <Button className="button primary" isDisabled={!writing.allowed} onPress={add}>
      New automation…
    </Button>
  );
  const toggle = ({ id, name, enabled, revision }: Automation) =>
    edit.mutate(
      { automationId: id, revision, enabled: !enabled },
      {
        onSuccess: () => toast(`Automation ${name} is ${enabled ? "disabled" : "enabled"}.`),
        onError: (error) => toast(error.message),
      },
    );
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Automations</h1>
        <span className="muted number">{query.data?.length}</span>
        <span className="spring" />
        {automations.length > 0 && button}
      </div>
      <div className="card table-card fitted">
        <section className="table-box" aria-label="Automations" tabIndex={0}>
          {query.isPending ? (
            <Skeleton rows={6} label="automations" />
          ) : query.isError && !query.data ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The automations" />
          ) : automations.length === 0 ? (
            <Empty title="No automations." action={button}>
              An automation sends a message, restarts a run, or pauses a flow when something happens: when a run fails
              or is late, when an agent is lost. On the command line: <code>appliance automation create NAME</code>.
            </Empty>
          ) : (
            <AutomationsTable
              automations={automations}
              isEditable={may && writing.allowed}
              onEdit={setEditing}
              onSwitch={toggle}
            />
          )}
        </section>
      </div>
      {editing && <AutomationDialog automation={editing === "new" ? null : editing} onClose={() => setEditing(null)} />}
    </div>
  );
}
