import { Button, Header, Menu, MenuItem, MenuSection, MenuTrigger, Popover } from "react-aria-components";
import { COLUMNS, DENSITIES, FIXED } from "../../lib/run-columns";
import type { TableChoice } from "./use-table-choice";

const ROWS = { compact: "Compact", normal: "Normal", comfortable: "Comfortable" } as const;

/** Which columns the table has, and how high its rows are. */
export function ColumnsMenu({ choice }: { choice: TableChoice }) {
  return (
    <MenuTrigger>
      <Button className="button wide-only">Columns</Button>
      <Popover className="popover" placement="bottom end">
        <Menu className="menu" aria-label="Columns">
          <MenuSection
            selectionMode="multiple"
            selectedKeys={choice.columns}
            disallowEmptySelection
            onSelectionChange={(keys) => choice.chooseColumns(keys as Set<string>)}
          >
            <Header className="menu-header">Columns</Header>
            {COLUMNS.filter(({ id }) => !FIXED.includes(id)).map(({ id, title }) => (
              <MenuItem key={id} id={id} className="menu-item columns-item" shouldCloseOnSelect={false}>
                {title}
              </MenuItem>
            ))}
          </MenuSection>
          <MenuSection
            selectionMode="single"
            selectedKeys={[choice.density]}
            disallowEmptySelection
            onSelectionChange={(keys) => choice.chooseDensity(String([...keys][0]))}
          >
            <Header className="menu-header">Rows</Header>
            {(Object.keys(DENSITIES) as (keyof typeof DENSITIES)[]).map((id) => (
              <MenuItem key={id} id={id} className="menu-item columns-item" shouldCloseOnSelect={false}>
                {ROWS[id]}
              </MenuItem>
            ))}
          </MenuSection>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
