/** The run page before its run has loaded, with the header and both panes in their final places. */

import { Skeleton } from "../../ui/notice";

export function RunSkeleton() {
  return (
    <div className="page page-full run-page">
      <div className="run-head run-head-empty" aria-hidden="true" />
      <div className="split split-two split-empty">
        <div className="card pane">
          <div className="pane-head" aria-hidden="true" />
          <Skeleton rows={10} label="the run" />
        </div>
        <div className="card pane" aria-hidden="true">
          <div className="pane-head" />
        </div>
      </div>
    </div>
  );
}
