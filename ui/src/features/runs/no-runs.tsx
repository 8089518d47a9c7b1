import { Link } from "@tanstack/react-router";
import { Button } from "react-aria-components";
import { showOf } from "../../lib/run-filter";
import { tokensOf } from "../../lib/run-query";
import { Empty } from "../../ui/notice";

const MOST = 4;

/** The empty state of the list of runs: nothing yet, nothing wrong, or nothing that matches, with the tokens to take away. */
export function NoRuns({ q, onChange }: { q: string; onChange: (q: string) => void }) {
  const tokens = tokensOf(q);
  const show = showOf(q);
  if (tokens.length === 1 && show === "failed")
    return <Empty title="No failed runs.">Nothing needs your attention.</Empty>;
  if (tokens.length === 1 && show !== "all" && show !== null) return <Empty title={`No ${show} runs at the moment.`} />;
  if (tokens.length > 0)
    return (
      <Empty
        title={`No runs match ${tokens.join(" ")}.`}
        action={
          <div className="row">
            {tokens.length > 1 &&
              tokens.slice(0, MOST).map((token, place) => (
                <Button
                  key={`${place} ${token}`}
                  className="button"
                  onPress={() => onChange(tokens.filter((_, at) => at !== place).join(" "))}
                >
                  Remove <code>{token}</code>
                </Button>
              ))}
            <Button className="button" onPress={() => onChange("")}>
              Show all runs
            </Button>
          </div>
        }
      />
    );
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
