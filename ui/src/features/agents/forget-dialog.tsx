import { ConfirmDialog } from "../../ui/confirm-dialog";
import { type Named, useAgentChange } from "./use-agent-change";

interface Props {
  agent: Named;
  onClose: () => void;
  onForgotten: () => void;
}

export function ForgetDialog({ agent, onClose, onForgotten }: Props) {
  const { forget } = useAgentChange(onForgotten);
  return (
    <ConfirmDialog
      title={`Forget agent ${agent.name}?`}
      isOpen
      onClose={onClose}
      keep="Keep agent"
      confirm="Forget agent"
      isPending={forget.isPending}
      error={forget.error}
      hasReason={false}
      onConfirm={() => forget.mutate(agent)}
    >
      <p>It leaves all lists. Its runs still say that they were its. If it comes back, it is listed again.</p>
      <p className="muted">
        Its token stays good; revoke that if the agent must not come back. Runs of code that is on its host alone go to
        any agent once no other agent of that host is known.
      </p>
    </ConfirmDialog>
  );
}
