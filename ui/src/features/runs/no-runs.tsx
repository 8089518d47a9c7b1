import { Link } from "@tanstack/react-router";
import { Button } from "react-aria-components";
import type { RunView } from "../../lib/run-filter";
import { Empty } from "../../ui/notice";

/** The empty state of the list of runs. */
export function NoRuns({ view, change }: { view: RunView; change: (view: RunView) => void }) {
  const everything: RunView = { show: "all", q: "", flow: "" };
  if (view.q || view.flow) {
    const what = view.q ? `“${view.q}”` : "this flow";
    return (
      <Empty
        title={`No ${view.show === "all" ? "" : `${view.show} `}runs match ${what}.`}
        action={
          <Button className="button" onPress={() => change(everything)}>
            Show all runs
          </Button>
        }
      />
    );
  }
  if (view.show === "failed") return <Empty title="No failed runs.">Nothing needs your attention.</Empty>;
  if (view.show !== "all") return <Empty title={`No ${view.show} runs at the moment.`} />;
  return (
    <Empty
      title="No runs yet."
      action={
        <Link to="/flows" className="button primary">
          Go to flows
        </Link>
      }
    >
      A run is one execution of a flow. Start one from the flow's page, or with{" "}
      <code>appliance run FLOW --project NAME</code>.
    </Empty>
  );
}
