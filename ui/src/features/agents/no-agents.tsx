import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import { Empty } from "../../ui/notice";

/** Nothing yet, or nothing that the filter shows. */
export function NoAgents({ areThere, clear, action }: { areThere: boolean; clear: () => void; action: ReactNode }) {
  if (areThere)
    return (
      <Empty
        title="No agents match."
        action={
          <Button className="button" onPress={clear}>
            Show all agents
          </Button>
        }
      />
    );
  return (
    <Empty title="No agents." action={action}>
      An agent takes due runs and starts them on its machine; until there is one, all runs wait.{" "}
      <code>appliance start</code> brings one along. To start one elsewhere: <code>appliance agent start process</code>,
      with a token of its own.
    </Empty>
  );
}
