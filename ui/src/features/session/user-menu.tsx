import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Button, Header, Menu, MenuItem, MenuSection, MenuTrigger, Popover, Separator } from "react-aria-components";
import { signOut, useSession } from "../../api/session";
import { systemQuery } from "../../api/system";
import { addressOf } from "../../lib/base";
import { chooseTheme, chosenTheme, type Theme } from "../../ui/theme";
import { toastError } from "../../ui/toasts";
import { PasswordDialog } from "./password-dialog";
import "./user-menu.css";

const OwnSessionsDialog = lazy(() => import("./own-sessions-dialog"));

const THEMES: { id: Theme; label: string }[] = [
  { id: "system", label: "Same as system" },
  { id: "light", label: "Light" },
  { id: "dark", label: "Dark" },
];

export function UserMenu() {
  const { me, version } = useSession();
  const { data: system } = useQuery({ ...systemQuery, enabled: me !== null });
  const [theme, setTheme] = useState(chosenTheme());
  const [open, setOpen] = useState<"password" | "sessions" | null>(null);
  if (!me) return null;
  return (
    <>
      <MenuTrigger>
        <Button
          className="button quiet"
          aria-label={`${me.username}: documentation, theme, password, sessions and sign out`}
        >
          <span className="avatar" data-letter={me.username.slice(0, 1).toUpperCase()} />
          <span className="wide-only">{me.username}</span>
        </Button>
        <Popover className="popover" placement="bottom end">
          <Menu
            className="menu"
            aria-label="Your menu"
            onAction={(key) => {
              if (key === "sign-out") signOut().catch(toastError);
              if (key === "password" || key === "sessions") setOpen(key);
            }}
          >
            <MenuSection
              selectionMode="single"
              disallowEmptySelection
              selectedKeys={[theme]}
              onSelectionChange={(keys) => {
                const chosen = [...keys][0] as Theme;
                chooseTheme(chosen);
                setTheme(chosen);
              }}
            >
              <Header className="menu-header">Theme</Header>
              {THEMES.map(({ id, label }) => (
                <MenuItem key={id} id={id} className="menu-item">
                  {label}
                </MenuItem>
              ))}
            </MenuSection>
            <Separator className="menu-line" />
            <MenuSection>
              <Header className="menu-header">
                {me.username} · {me.role} · Appliance {version}
                {system?.server.agentNotSeparated && (
                  <p>Runs are not separated from the server: {system.server.agentNotSeparated}.</p>
                )}
              </Header>
              <MenuItem id="docs" href={addressOf("/docs/")} target="_blank" className="menu-item">
                Documentation
              </MenuItem>
              <MenuItem id="password" className="menu-item">
                Change password
              </MenuItem>
              <MenuItem id="sessions" className="menu-item">
                Your sessions
              </MenuItem>
              <MenuItem id="sign-out" className="menu-item">
                Sign out
              </MenuItem>
            </MenuSection>
          </Menu>
        </Popover>
      </MenuTrigger>
      <PasswordDialog isOpen={open === "password"} onClose={() => setOpen(null)} />
      <Suspense>{open === "sessions" && <OwnSessionsDialog onClose={() => setOpen(null)} />}</Suspense>
    </>
  );
}
