import { Button } from "react-aria-components";

/** One view of a pane. Views are URLs, so tabs are navigation and the active one is the current page. */
export function Tab({ label, isCurrent, onPress }: { label: string; isCurrent: boolean; onPress: () => void }) {
  return (
    <Button className="tab" aria-current={isCurrent ? "page" : undefined} onPress={onPress}>
      {label}
    </Button>
  );
}
