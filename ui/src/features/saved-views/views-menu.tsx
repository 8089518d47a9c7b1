/** The saved views beside the filter: open one, save what is shown, and change the one that is open. */

import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Button, Header, Menu, MenuItem, MenuSection, MenuTrigger, Popover, Separator } from "react-aria-components";
import { editView, savedViewsQuery } from "../../api/saved-views";
import { printColumns } from "../../lib/run-columns";
import type { RunView } from "../../lib/run-filter";
import { type RunSearch, type SavedView, searchOf, shownView } from "../../lib/saved-views";
import { useShortcuts } from "../../ui/shortcuts";
import { toastError } from "../../ui/toasts";
import { useDeleteView } from "./use-delete-view";
import { useViewChange } from "./use-view-change";
import "./saved-views.css";

const SaveDialog = lazy(() => import("./save-dialog"));
const RenameDialog = lazy(() => import("./rename-dialog"));

interface Props {
  view: RunView;
  search: RunSearch;
  columns: readonly string[];
  onOpen: (search: RunSearch) => void;
}

export function ViewsMenu({ view, search, columns, onOpen }: Props) {
  const { data: views = [] } = useQuery(savedViewsQuery);
  const [dialog, setDialog] = useState<"save" | "rename" | null>(null);
  const shown = shownView(views, search);
  const edit = useViewChange(editView);
  const remove = useDeleteView();
  const close = () => setDialog(null);
  useShortcuts("Runs", [{ keys: "v", label: "Save view…", run: () => setDialog("save") }]);
  const act = (key: string) => {
    const chosen = views.find(({ id }) => id === key);
    if (chosen) onOpen(searchOf(chosen));
    else if (key === "delete" && shown) remove(shown);
    else if (key === "default" && shown)
      edit.mutate({ savedViewId: shown.id, default: !shown.default }, { onError: toastError });
    else if (key === "save" || key === "rename") setDialog(key);
  };
  return (
    <>
      <MenuTrigger>
        <Button className="button views-button">
          <span className="views-name">{shown?.name ?? "Views"}</span>
          <span aria-hidden="true">▾</span>
        </Button>
        <Popover className="popover" placement="bottom end">
          <Menu className="menu" aria-label="Saved views" onAction={(key) => act(String(key))}>
            {views.length > 0 && <Saved views={views} shown={shown} />}
            {views.length > 0 && <Separator className="menu-line" />}
            <MenuSection>
              <Header className="menu-header">{shown?.name ?? "What is shown"}</Header>
              <MenuItem id="save" className="menu-item">
                Save view…
              </MenuItem>
              {shown && <Changes shown={shown} />}
            </MenuSection>
          </Menu>
        </Popover>
      </MenuTrigger>
      <Suspense>
        {dialog === "save" && (
          <SaveDialog
            view={view}
            columns={columns}
            views={views}
            onClose={close}
            onSaved={(saved) => onOpen({ ...search, columns: printColumns(saved) || undefined })}
          />
        )}
        {dialog === "rename" && shown && <RenameDialog view={shown} onClose={close} />}
      </Suspense>
    </>
  );
}

function Saved({ views, shown }: { views: readonly SavedView[]; shown: SavedView | undefined }) {
  return (
    <MenuSection selectionMode="single" selectedKeys={shown ? [shown.id] : []}>
      <Header className="menu-header">Saved views</Header>
      {views.map((one) => (
        <MenuItem key={one.id} id={one.id} className="menu-item views-item" textValue={one.name}>
          <span className="views-name">{one.name}</span>
          {one.default && <span className="muted">default</span>}
        </MenuItem>
      ))}
    </MenuSection>
  );
}

/** What can be done to the saved view that is open. */
function Changes({ shown }: { shown: SavedView }) {
  return (
    <>
      <MenuItem id="rename" className="menu-item">
        Rename…
      </MenuItem>
      <MenuItem id="default" className="menu-item">
        {shown.default ? "Don't open Runs with it" : "Open Runs with it"}
      </MenuItem>
      <MenuItem id="delete" className="menu-item">
        Delete
      </MenuItem>
    </>
  );
}
