import { Button } from "react-aria-components";
import { Empty } from "../../ui/notice";

export function NoFlows({ q, isArchive, clear }: { q: string; isArchive: boolean; clear: () => void }) {
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
  if (isArchive) return <Empty title="No flows are in the archive." />;
  return (
    <Empty title="No flows yet.">
      A flow is a Python file with tasks. Register one:
      <pre className="mono command">appliance register flows.py --project my-project</pre>
    </Empty>
  );
}
