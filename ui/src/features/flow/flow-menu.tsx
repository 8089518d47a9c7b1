/** What can be done to a flow and to its project over time: rename, pause, archive, delete. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button, Header, Menu, MenuItem, MenuSection, MenuTrigger, Popover, Separator } from "react-aria-components";
import type { Flow } from "../../api/flows";
import { type Edit, edit, type Target } from "../../api/life-cycle";
import { newKey } from "../../lib/keys";
import { toast, toastError } from "../../ui/toasts";
import { useMay, useWriting } from "../session/permissions";
import { ArchiveDialog } from "./archive-dialog";
import { DeleteTreeDialog } from "./delete-tree-dialog";
import { RenameDialog } from "./rename-dialog";

type Question = "rename" | "archive" | "delete";

interface Open {
  question: Question;
  target: Target;
}

interface Change {
  target: Target;
  fields: Pick<Edit, "paused" | "archived">;
  told: string;
}

export function FlowMenu({ flow }: { flow: Flow }) {
  const may = useMay();
  const writing = useWriting();
  const client = useQueryClient();
  const [open, setOpen] = useState<Open | null>(null);
  const own: Target = { noun: "flow", id: flow.id, name: flow.name };
  const project: Target = { noun: "project", ...flow.project };
  const change = useMutation({
    mutationFn: ({ target, fields }: Change) => edit(target, { ...fields, idempotencyKey: newKey() }),
    onSuccess: (_nothing, { told }) => {
      toast(told);
      return client.invalidateQueries();
    },
    onError: toastError,
  });
  if (!may("flows:edit")) return null;
  const close = () => setOpen(null);
  const act: Record<string, () => void> = {
    "flow rename": () => setOpen({ question: "rename", target: own }),
    "flow pause": () => change.mutate({ target: own, fields: { paused: true }, told: `Paused ${flow.name}.` }),
    "flow resume": () => change.mutate({ target: own, fields: { paused: false }, told: `Resumed ${flow.name}.` }),
    "flow archive": () => setOpen({ question: "archive", target: own }),
    "flow unarchive": () =>
      change.mutate({ target: own, fields: { archived: false }, told: `Took ${flow.name} out of the archive.` }),
    "flow delete": () => setOpen({ question: "delete", target: own }),
    "project rename": () => setOpen({ question: "rename", target: project }),
    "project archive": () => setOpen({ question: "archive", target: project }),
    "project unarchive": () =>
      change.mutate({
        target: project,
        fields: { archived: false },
        told: `Took project ${project.name} out of the archive.`,
      }),
    "project delete": () => setOpen({ question: "delete", target: project }),
  };
  const items: [id: string, label: string, isShown: boolean][] = [
    ["flow rename", "Rename…", true],
    ["flow pause", "Pause", !flow.paused],
    ["flow resume", "Resume", flow.paused],
    ["flow archive", "Archive…", !flow.archived],
    ["flow unarchive", "Take out of the archive", flow.archived && !flow.project.archived],
    ["flow delete", "Delete…", may("flows:delete")],
    ["project rename", "Rename project…", true],
    ["project archive", "Archive project…", !flow.project.archived],
    ["project unarchive", "Take project out of the archive", flow.project.archived],
    ["project delete", "Delete project…", may("flows:delete")],
  ];
  const shown = (noun: string) =>
    items
      .filter(([id, , isShown]) => isShown && id.startsWith(noun))
      .map(([id, label]) => (
        <MenuItem key={id} id={id} className="menu-item">
          {label}
        </MenuItem>
      ));
  return (
    <>
      <MenuTrigger>
        <Button className="button" isDisabled={!writing.allowed} aria-label="More actions">
          <span aria-hidden="true">⋯</span>
        </Button>
        <Popover className="popover" placement="bottom end">
          <Menu className="menu" aria-label="More actions" onAction={(key) => act[String(key)]?.()}>
            <MenuSection>{shown("flow")}</MenuSection>
            <Separator className="menu-line" />
            <MenuSection>
              <Header className="menu-header">Project {project.name}</Header>
              {shown("project")}
            </MenuSection>
          </Menu>
        </Popover>
      </MenuTrigger>
      {open?.question === "rename" && <RenameDialog target={open.target} onClose={close} />}
      {open?.question === "archive" && <ArchiveDialog target={open.target} onClose={close} />}
      {open?.question === "delete" && <DeleteTreeDialog target={open.target} onClose={close} />}
    </>
  );
}
