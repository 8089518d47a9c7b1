import { useState } from "react";
import type { AgentRow } from "../../api/agents";
import { RowMenu } from "../people/row-menu";
import { ForgetDialog } from "./forget-dialog";
import { useAgentChange } from "./use-agent-change";

/** What people can decide about an agent in a list. */
export function AgentMenu({ agent }: { agent: AgentRow }) {
  const [isForgetting, setForgetting] = useState(false);
  const { drain, resume } = useAgentChange();
  return (
    <>
      <RowMenu
        label={`Actions for ${agent.name}`}
        items={[
          agent.draining ? ["Resume", () => resume.mutate(agent)] : ["Drain", () => drain.mutate(agent)],
          ...(agent.health === "offline" ? [["Forget…", () => setForgetting(true)] as const] : []),
        ]}
      />
      {isForgetting && (
        <ForgetDialog agent={agent} onClose={() => setForgetting(false)} onForgotten={() => setForgetting(false)} />
      )}
    </>
  );
}
