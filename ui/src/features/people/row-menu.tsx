import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { useWriting } from "../session/permissions";

/** What can be done to a row's user or token. */
export function RowMenu({
  label,
  items,
}: {
  label: string;
  items: readonly (readonly [text: string, act: () => void])[];
}) {
  const writing = useWriting();
  return (
    <MenuTrigger>
      <Button className="button small quiet" isDisabled={!writing.allowed} aria-label={label}>
        <span aria-hidden="true">⋯</span>
      </Button>
      <Popover className="popover" placement="bottom end">
        <Menu className="menu" aria-label={label}>
          {items.map(([text, act]) => (
            <MenuItem key={text} id={text} className="menu-item" onAction={act}>
              {text}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
