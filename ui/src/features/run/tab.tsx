import { Button } from "react-aria-components";

/** One view of a pane; views are addresses, so they are navigation and the shown one is the current page. */
export function Tab({ label, isCurrent, onPress }: { label: string; isCurrent: boolean; onPress: () => void }) {
  return (
    <Button className="tab" aria-current={isCurrent ? "page" : undefined} onPress={onPress}>
      {label}
    </Button>
  );
}
