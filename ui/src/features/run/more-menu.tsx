/** Further actions on a run: those that the user's role and the run's state allow. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { pauseRun, type Run } from "../../api/flow-runs";
import { newKey } from "../../lib/keys";
import type { Permission } from "../../lib/permissions";
import { isAtRest, isTerminal } from "../../lib/states";
import { toast, toastError } from "../../ui/toasts";
import { useMay, useWriting } from "../session/permissions";
import { DeleteDialog } from "./delete-dialog";
import { MarkDialog } from "./mark-dialog";

const RestartDialog = lazy(() => import("./restart-dialog"));

type Action = "restart" | "pause" | "mark" | "delete";

interface Item {
  id: Action;
  label: string;
  permission: Permission;
  isPossible: (run: Run) => boolean;
}

const ITEMS: readonly Item[] = [
  {
    id: "restart",
    label: "Restart from a task…",
    permission: "runs:restart",
    isPossible: (run) => isTerminal(run.state.type) && run.attempt > 0,
  },
  {
    id: "pause",
    label: "Pause",
    permission: "runs:pause",
    isPossible: (run) => run.state.type === "SCHEDULED" && run.state.name !== "Paused",
  },
  { id: "mark", label: "Mark as…", permission: "runs:mark", isPossible: (run) => isAtRest(run.state.type) },
  { id: "delete", label: "Delete…", permission: "runs:delete", isPossible: (run) => isAtRest(run.state.type) },
];

export function MoreMenu({ run }: { run: Run }) {
  const may = useMay();
  const writing = useWriting();
  const client = useQueryClient();
  const [open, setOpen] = useState<Action | null>(null);
  const pause = useMutation({
    mutationFn: () => pauseRun(run.id, { reason: "", idempotencyKey: newKey() }),
    onSuccess: () => {
      toast(`Paused ${run.flow.name} / ${run.name} until someone resumes it.`);
      return client.invalidateQueries();
    },
    onError: toastError,
  });
  const items = ITEMS.filter((item) => may(item.permission) && item.isPossible(run));
  const close = () => setOpen(null);
  return (
    <>
      {items.length > 0 && (
        <MenuTrigger>
          <Button className="button" isDisabled={!writing.allowed} aria-label="More actions">
            <span aria-hidden="true">⋯</span>
          </Button>
          <Popover className="popover" placement="bottom end">
            <Menu
              className="menu"
              aria-label="More actions"
              onAction={(key) => (key === "pause" ? pause.mutate() : setOpen(key as Action))}
            >
              {items.map((item) => (
                <MenuItem key={item.id} id={item.id} className="menu-item">
                  {item.label}
                </MenuItem>
              ))}
            </Menu>
          </Popover>
        </MenuTrigger>
      )}
      <Suspense>{open === "restart" && <RestartDialog run={run} onClose={close} />}</Suspense>
      {open === "mark" && <MarkDialog run={run} onClose={close} />}
      {open === "delete" && <DeleteDialog run={run} onClose={close} />}
    </>
  );
}
