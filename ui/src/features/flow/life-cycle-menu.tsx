/** What can be done to a flow or a project over time: rename, pause, archive, delete. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button, Header, Menu, MenuItem, MenuSection, MenuTrigger, Popover } from "react-aria-components";
import { type Edit, edit, type Target } from "../../api/life-cycle";
import { newKey } from "../../lib/keys";
import { toast, toastError } from "../../ui/toasts";
import { useMay, useWriting } from "../session/permissions";
import { ArchiveDialog } from "./archive-dialog";
import { DeleteTreeDialog } from "./delete-tree-dialog";
import { RenameDialog } from "./rename-dialog";

/** `paused` and `archived` are null where only the project can be resumed or taken out of the archive. */
export interface Subject extends Target {
  paused: boolean | null;
  archived: boolean | null;
  header?: string;
}

interface Open {
  question: "rename" | "archive" | "delete";
  target: Target;
}

interface Change {
  target: Target;
  fields: Pick<Edit, "paused" | "archived">;
  told: string;
}

export function LifeCycleMenu({ subjects, label }: { subjects: readonly Subject[]; label: string }) {
  const may = useMay();
  const writing = useWriting();
  const client = useQueryClient();
  const [open, setOpen] = useState<Open | null>(null);
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
  const itemsOf = (subject: Subject): [label: string, act: () => void, isShown: boolean][] => {
    const { noun, name, paused, archived } = subject;
    const target: Target = { noun, id: subject.id, name };
    const it = subjects.length > 1 && noun === "project" ? " project" : "";
    const called = noun === "project" ? `project ${name}` : name;
    const set = (fields: Change["fields"], told: string) => change.mutate({ target, fields, told });
    return [
      [`Rename${it}…`, () => setOpen({ question: "rename", target }), true],
      [`Pause${it}`, () => set({ paused: true }, `Paused ${called}.`), paused === false],
      [`Resume${it}`, () => set({ paused: false }, `Resumed ${called}.`), paused === true],
      [`Archive${it}…`, () => setOpen({ question: "archive", target }), archived === false],
      [
        `Take${it} out of the archive`,
        () => set({ archived: false }, `Took ${called} out of the archive.`),
        archived === true,
      ],
      [`Delete${it}…`, () => setOpen({ question: "delete", target }), may("flows:delete")],
    ];
  };
  return (
    <>
      <MenuTrigger>
        <Button className="button above" isDisabled={!writing.allowed} aria-label={label}>
          <span aria-hidden="true">⋯</span>
        </Button>
        <Popover className="popover" placement="bottom end">
          <Menu className="menu" aria-label={label}>
            {subjects.map((subject) => (
              <MenuSection key={subject.noun}>
                {subject.header && <Header className="menu-header">{subject.header}</Header>}
                {itemsOf(subject)
                  .filter(([, , isShown]) => isShown)
                  .map(([text, act]) => (
                    <MenuItem key={text} id={`${subject.noun} ${text}`} className="menu-item" onAction={act}>
                      {text}
                    </MenuItem>
                  ))}
              </MenuSection>
            ))}
          </Menu>
        </Popover>
      </MenuTrigger>
      {open?.question === "rename" && <RenameDialog target={open.target} onClose={close} />}
      {open?.question === "archive" && <ArchiveDialog target={open.target} onClose={close} />}
      {open?.question === "delete" && <DeleteTreeDialog target={open.target} onClose={close} />}
    </>
  );
}
