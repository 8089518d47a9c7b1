/** Rolls a flow back to an earlier version, after showing what differs and what happens to its schedules. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Flow, flowQuery } from "../../api/flows";
import { ApiError } from "../../api/http";
import { rollBack, rollbackQuery } from "../../api/life-cycle";
import { keyPerContent } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { toast } from "../../ui/toasts";
import { Differences } from "./compare-versions";

interface Props {
  flow: Flow;
  to: number;
  onClose: () => void;
}

export default function RollbackDialog({ flow, to, onClose }: Props) {
  const [newest, setNewest] = useState(flow.version.number); // as seen: another one might be replaced unseen
  const [wasReplaced, setReplaced] = useState(false);
  const [withKey] = useState(keyPerContent);
  const client = useQueryClient();
  const preview = useQuery(rollbackQuery(flow.id, newest, to));
  const change = useMutation({
    mutationFn: (reason: string) => rollBack(withKey({ flowId: flow.id, to, newest, reason })),
    onSuccess: ({ version, warnings }) => {
      toast([`${flow.name}: version ${version} is a copy of version ${to}.`, ...warnings].join(" "));
      onClose();
      return client.invalidateQueries();
    },
    onError: async (error) => {
      if (!(error instanceof ApiError && error.code === "conflict" && "version" in error.details)) return;
      const current = await client.fetchQuery({ ...flowQuery(flow.id), staleTime: 0 });
      if (!current || current.version.number === newest) return;
      setNewest(current.version.number);
      setReplaced(true);
      change.reset();
    },
  });
  return (
    <ConfirmDialog
      title={`Roll ${flow.name} back to version ${to}?`}
      isOpen
      onClose={onClose}
      keep={`Keep version ${newest}`}
      confirm="Roll back"
      isPending={change.isPending}
      isDisabled={preview.data?.closed !== ""}
      error={change.error ?? preview.error}
      reasonHelp="Shown in the list of versions."
      onConfirm={(reason) => change.mutate(reason)}
    >
      {wasReplaced && (
        <p className="form-error" role="alert">
          Version {newest} was registered in the meantime; nothing was changed. What differs from it is below. Look at
          it, then roll back again.
        </p>
      )}
      <p>
        A copy of version {to} becomes the newest version, {newest + 1}. Scheduled runs get it; runs in progress keep
        their version.
      </p>
      <section className="rollback" aria-label={`What changes from version ${newest}`} tabIndex={0}>
        <Differences flowId={flow.id} before={newest} after={to} />
      </section>
      {preview.data && <Consequences {...preview.data} />}
    </ConfirmDialog>
  );
}

function Consequences({ schedules, warnings, closed }: { schedules: string[]; warnings: string[]; closed: string }) {
  return (
    <>
      {schedules.length > 0 && (
        <ul className="muted" aria-label="Schedules">
          {schedules.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      {warnings.map((text) => (
        <p key={text} className="text-attention">
          {text}
        </p>
      ))}
      {closed && <p className="form-error">{closed}</p>}
    </>
  );
}
