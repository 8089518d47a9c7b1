/** A schedule's due times that got no run, latest first, with the reason. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import type { Schedule } from "../../api/flows";
import { type Skip, skipsQuery } from "../../api/schedules";
import { BusyButton } from "../../ui/busy-button";
import { Dialog } from "../../ui/dialog";
import { Instant } from "../../ui/instant";
import { Empty, Failure, Skeleton } from "../../ui/notice";

export default function SkipsDialog({ schedule, onClose }: { schedule: Schedule; onClose: () => void }) {
  const query = useInfiniteQuery(skipsQuery(schedule.id));
  const skips = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Dialog title={`Due times of “${schedule.description}” without a run`} isOpen onClose={onClose}>
      {query.isPending ? (
        <Skeleton rows={4} label="missed due times" />
      ) : query.isError && !query.data ? (
        <Failure error={query.error} retry={() => void query.refetch()} what="The missed due times" />
      ) : skips.length === 0 ? (
        <Empty title="No missed due times.">Every due time of this schedule has a run.</Empty>
      ) : (
        <section className="skips" aria-label="Missed due times" tabIndex={0}>
          <table className="table wrap-table">
            <thead>
              <tr>
                <th scope="col">Due</th>
                <th scope="col" className="right">
                  Times
                </th>
                <th scope="col">Why</th>
              </tr>
            </thead>
            <tbody>
              {skips.map((skip) => (
                <tr key={`${skip.first} ${skip.at}`}>
                  <td className="number">
                    <Span skip={skip} />
                  </td>
                  <td className="right number">{skip.count.toLocaleString("en")}</td>
                  <td>{skip.reason}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      <div className="row end">
        {query.hasNextPage && (
          <BusyButton className="button" isBusy={query.isFetchingNextPage} onPress={() => void query.fetchNextPage()}>
            Show older
          </BusyButton>
        )}
        <Button className="button" onPress={onClose}>
          Close
        </Button>
      </div>
    </Dialog>
  );
}

function Span({ skip }: { skip: Skip }) {
  if (skip.first === skip.last) return <Instant at={skip.first} />;
  return (
    <>
      <Instant at={skip.first} /> to <Instant at={skip.last} />
    </>
  );
}
