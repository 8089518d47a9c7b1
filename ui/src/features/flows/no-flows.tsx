import { Button } from "react-aria-components";
import { Empty } from "../../ui/notice";

export function NoFlows({ q, clear }: { q: string; clear: () => void }) {
  if (q) {
    return (
      <Empty
        title={`No flow names contain “${q}”.`}
        action={
          <Button className="button" onPress={clear}>
            Show all flows
          </Button>
        }
      />
    );
  }
  return (
    <Empty title="No flows yet.">
      A flow is a Python file with tasks. Register one:
      <pre className="mono command">appliance register flows.py --project my-project</pre>
    </Empty>
  );
}
