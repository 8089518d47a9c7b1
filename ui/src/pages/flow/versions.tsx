import { CompareVersions } from "../../features/flow/compare-versions";
import { useFlow } from "../../features/flow/use-flow";
import { ParametersCard, VersionCard } from "../../features/flow/version-cards";

export function FlowVersions() {
  const flow = useFlow();
  return (
    flow && (
      <div className="flow-halves">
        <CompareVersions flow={flow} />
        <div className="flow-side">
          <VersionCard flow={flow} hasEarlier />
          <ParametersCard flow={flow} />
        </div>
      </div>
    )
  );
}
