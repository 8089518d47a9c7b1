import { Button } from "react-aria-components";
import { Empty } from "../../ui/notice";

export function NoFlows({ q, clear }: { q: string; clear: () => void }) {
  if (q) {
    return (
      <Empty
        title={`No flow's name contains “${q}”.`}
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
      A flow is a Python file with tasks. Register one from where it lies:
      <pre className="mono command">appliance register flows.py --project my-project</pre>
    </Empty>
  );
}
