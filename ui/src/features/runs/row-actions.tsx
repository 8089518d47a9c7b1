/** What can be done to one run of the list: the bulk actions that it allows, and a few that change nothing. */

import { useNavigate, useRouter } from "@tanstack/react-router";
import { Button, Menu, MenuItem, MenuTrigger, Popover, Separator } from "react-aria-components";
import type { RunRow } from "../../api/flow-runs";
import { BULK, type BulkKind } from "../../lib/bulk";
import { copyText } from "../../ui/copy";
import { useMay, useWriting } from "../session/permissions";

interface Props {
  run: RunRow;
  onLook: () => void;
  onChange: (kind: BulkKind) => void;
}

export function RowActions({ run, onLook, onChange }: Props) {
  const may = useMay();
  const writing = useWriting();
  const navigate = useNavigate();
  const router = useRouter();
  const kinds = may("runs:bulk") ? BULK.filter((kind) => may(kind.permission) && kind.isValid(run)) : [];
  const link = () => {
    const place = router.buildLocation({ to: "/runs/$runId", params: { runId: run.id } });
    return new URL(router.history.createHref(place.href), window.location.href).href;
  };
  const again = () =>
    void navigate({ to: "/flows/$flowId/run", params: { flowId: run.flow.id }, search: { from: run.id } });
  return (
    <MenuTrigger>
      <Button className="button small quiet above" aria-label={`Actions on ${run.name}`}>
        <span aria-hidden="true">⋯</span>
      </Button>
      <Popover className="popover" placement="bottom end">
        <Menu className="menu" aria-label={`Actions on ${run.name}`}>
          <MenuItem className="menu-item" onAction={onLook}>
            Quick look
          </MenuItem>
          {kinds.map((kind) => (
            <MenuItem
              key={kind.action}
              className="menu-item"
              isDisabled={!writing.allowed}
              onAction={() => onChange(kind)}
            >
              {kind.one}
            </MenuItem>
          ))}
          <MenuItem className="menu-item" isDisabled={!writing.allowed} onAction={again}>
            Run again…
          </MenuItem>
          <Separator className="menu-line" />
          <MenuItem className="menu-item" onAction={() => void copyText(link(), "Copied the link.")}>
            Copy link
          </MenuItem>
          <MenuItem className="menu-item" onAction={() => void copyText(run.id, "Copied the ID.")}>
            Copy ID
          </MenuItem>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
