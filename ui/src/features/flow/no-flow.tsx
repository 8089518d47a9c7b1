import { Link } from "@tanstack/react-router";
import { DeadEnd } from "../palette/dead-end";

export function NoFlow() {
  return (
    <DeadEnd
      title="There is no flow with this ID."
      action={
        <Link to="/flows" className="button primary">
          Go to flows
        </Link>
      }
    >
      It may have been deleted, or the link is incomplete.
    </DeadEnd>
  );
}
