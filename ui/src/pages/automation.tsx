import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "react-aria-components";
import { automationQuery, deleteAutomation, sendAgain, type Trial, testAutomation } from "../api/automations";
import { AutomationDialog } from "../features/automations/automation-dialog";
import { State } from "../features/automations/automations-table";
import { DeliveriesTable } from "../features/automations/deliveries-table";
import { TrialDialog } from "../features/automations/trial-dialog";
import { useAutomationChange } from "../features/automations/use-automation-change";
import { useMay, useWriting } from "../features/session/permissions";
import { acts } from "../lib/automations";
import { BusyButton } from "../ui/busy-button";
import { ConfirmDialog } from "../ui/confirm-dialog";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { toast } from "../ui/toasts";

export function AutomationPage() {
  const { automationId } = useParams({ from: "/app/automations/$automationId" });
  const query = useQuery(automationQuery(automationId));
  usePageTitle(query.data?.automation.name ?? "Automation");
  if (query.isPending) return <Skeleton rows={8} label="the automation" />;
  if (!query.data)
    return <Failure error={query.error as Error} retry={() => void query.refetch()} what="The automation" />;
  return <Page automation={query.data.automation} deliveries={query.data.deliveries.items} />;
}

type Data = NonNullable<Awaited<ReturnType<NonNullable<ReturnType<typeof automationQuery>["queryFn"]>>>>;

function Page({ automation, deliveries }: { automation: Data["automation"]; deliveries: Data["deliveries"]["items"] }) {
  const navigate = useNavigate();
  const writing = useWriting();
  const may = useMay()("automations:edit") && writing.allowed;
  const [open, setOpen] = useState<"edit" | "delete" | null>(null);
  const [trial, setTrial] = useState<Trial | null>(null);
  const test = useAutomationChange(testAutomation);
  const again = useAutomationChange(sendAgain);
  const remove = useAutomationChange(deleteAutomation);
  const { id: automationId, name } = automation;
  const does = acts(automation.action.kind);
  return (
    <div className="page page-full">
      <div className="crumbs">
        <Link to="/automations">Automations</Link>
      </div>
      <div className="page-head automation-head">
        <h1>{name}</h1>
        <State automation={automation} />
        <span className="spring" />
        {may && (
          <span className="row">
            <BusyButton
              className="button"
              isBusy={test.isPending}
              onPress={() =>
                test.mutate({ automationId }, { onSuccess: setTrial, onError: (error) => toast(error.message) })
              }
            >
              Test
            </BusyButton>
            <Button className="button" onPress={() => setOpen("edit")}>
              Edit…
            </Button>
            <Button className="button" onPress={() => setOpen("delete")}>
              Delete…
            </Button>
          </span>
        )}
      </div>
      <p className="automation-sentence">
        {automation.sentence}
        {does && (
          <span className="muted">
            {automation.actsAs
              ? ` It acts with the rights of ${automation.actsAs}.`
              : " It can’t act: the user with whose rights it acted was deleted. Save it again."}
          </span>
        )}
      </p>
      <div className="card table-card">
        <section className="table-box" aria-label={does ? "What it has done" : "What it has sent"} tabIndex={0}>
          {deliveries.length === 0 ? (
            <Empty title={does ? "It has done nothing yet." : "It has sent nothing yet."}>
              What happens from now on and matches is listed here, with{" "}
              {does ? "what was done about it" : "the answer of the receiver"}.
            </Empty>
          ) : (
            <DeliveriesTable
              deliveries={deliveries}
              acts={does}
              isEditable={may}
              onSendAgain={({ id }) =>
                again.mutate(
                  { deliveryId: id },
                  {
                    onSuccess: () => toast(does ? "It is tried again." : "It is sent again."),
                    onError: (error) => toast(error.message),
                  },
                )
              }
            />
          )}
        </section>
      </div>
      {open === "edit" && <AutomationDialog automation={automation} onClose={() => setOpen(null)} />}
      {trial && <TrialDialog trial={trial} acts={does} onClose={() => setTrial(null)} />}
      <ConfirmDialog
        title={`Delete automation ${name}?`}
        isOpen={open === "delete"}
        onClose={() => setOpen(null)}
        keep="Keep automation"
        confirm="Delete automation"
        isDanger
        isPending={remove.isPending}
        error={remove.error}
        hasReason={false}
        onConfirm={() => remove.mutate({ automationId }, { onSuccess: () => void navigate({ to: "/automations" }) })}
      >
        <p>Its deliveries are deleted, too. Pending deliveries are dropped.</p>
      </ConfirmDialog>
    </div>
  );
}
