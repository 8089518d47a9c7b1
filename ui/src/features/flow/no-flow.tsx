import { Link } from "@tanstack/react-router";
import { Empty } from "../../ui/notice";

export function NoFlow() {
  return (
    <Empty
      title="There is no flow with this ID."
      isPage
      action={
        <Link to="/flows" className="button primary">
          Go to flows
        </Link>
      }
    >
      It may have been deleted, or the link is incomplete.
    </Empty>
  );
}
