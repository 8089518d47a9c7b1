/** Frees space on a full or nearly full disk: what is deleted, what is kept, and the result. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { type Freed, freeSpace, type System, systemQuery } from "../../api/system";
import { freedInWords, sizeInWords } from "../../lib/banners";
import { BusyButton } from "../../ui/busy-button";
import { Dialog } from "../../ui/dialog";
import { TextInput } from "../../ui/text-input";

const WATCH_EVERY = 1_000;

export default function FreeSpaceDialog({ disk, onClose }: { disk: System["disk"]; onClose: () => void }) {
  const [days, setDays] = useState("1");
  const client = useQueryClient();
  const free = useMutation({
    mutationFn: freeSpace,
    onSuccess: () => client.invalidateQueries(),
  });
  useQuery({ ...systemQuery, staleTime: 0, refetchInterval: free.isPending ? WATCH_EVERY : false });
  const keep = days.trim() === "" ? Number.NaN : Number(days);
  const error = keep >= 0 && keep <= 36_500 ? "" : "Enter a number of days, 0 or more.";
  return (
    <Dialog title="Free space on the database disk" isOpen onClose={free.isPending ? () => {} : onClose}>
      <form
        className="form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!error && !free.isPending) free.mutate(keep);
        }}
      >
        {disk.freeBytes !== null && (
          <p>
            {sizeInWords(disk.freeBytes)} of {sizeInWords(disk.totalBytes ?? 0)} are free.
          </p>
        )}
        <p className="muted">
          The oldest runs that have ended are deleted with their task runs, history and logs, and so are the oldest log
          lines and events, down to ever younger ones until there is enough space. Waiting, running and paused runs are
          kept, whatever their age. This can't be undone.
        </p>
        <TextInput
          label="Keep everything newer than (days)"
          value={days}
          onChange={setDays}
          error={error}
          inputMode="decimal"
          help="0 deletes everything that can be deleted."
          isDisabled={free.isPending}
          autoFocus
        />
        {free.isPending && (
          <p role="status">
            Deleting… This takes up to 20 seconds.
            {disk.freeBytes !== null && ` ${sizeInWords(disk.freeBytes)} are free so far.`}
          </p>
        )}
        {free.error && (
          <p className="form-error" role="alert">
            {free.error.message}
          </p>
        )}
        {free.data && <Result freed={free.data} />}
        <div className="row end">
          <Button className="button" onPress={onClose} isDisabled={free.isPending}>
            {free.data ? "Close" : "Don't delete"}
          </Button>
          <BusyButton type="submit" className="button danger" isBusy={free.isPending} isDisabled={Boolean(error)}>
            {free.data ? "Free more" : "Delete and free space"}
          </BusyButton>
        </div>
      </form>
    </Dialog>
  );
}

function Result({ freed }: { freed: Freed }) {
  const { disk } = freed;
  return (
    <p role="status">
      {freedInWords(freed.deleted, freed.freedBytes)}{" "}
      {disk.freeBytes !== null && `${sizeInWords(disk.freeBytes)} are free now. `}
      {!disk.writable && (
        <b className="text-failed">That is not enough: keep fewer days, or delete something else on this disk.</b>
      )}
    </p>
  );
}
