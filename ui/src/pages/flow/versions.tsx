import { useNavigate, useSearch } from "@tanstack/react-router";
import { CompareVersions, type Pair } from "../../features/flow/compare-versions";
import { useFlow } from "../../features/flow/use-flow";
import { ParametersCard, VersionCard } from "../../features/flow/version-cards";

/** Which versions are compared is in the URL. */
export function FlowVersions() {
  const flow = useFlow();
  const pair = useSearch({ from: "/app/flows/$flowId/versions" });
  const navigate = useNavigate();
  if (!flow) return null;
  const compare = (search: Pair) =>
    void navigate({ to: "/flows/$flowId/versions", params: { flowId: flow.id }, search, replace: true });
  return (
    <div className="flow-halves">
      <CompareVersions flow={flow} pair={pair} onChange={compare} />
      <div className="flow-side">
        <VersionCard flow={flow} hasEarlier />
        <ParametersCard flow={flow} />
      </div>
    </div>
  );
}
