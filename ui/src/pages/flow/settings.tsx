import { DefaultsCard } from "../../features/flow/defaults-card";
import { RunTimeoutCard } from "../../features/flow/run-timeout-card";
import { useFlow } from "../../features/flow/use-flow";

export function FlowSettings() {
  const flow = useFlow();
  return (
    flow && (
      <div className="flow-halves">
        <DefaultsCard flow={flow} />
        <RunTimeoutCard flow={flow} />
      </div>
    )
  );
}
