import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useMatch, useNavigate } from "@tanstack/react-router";
import { Fragment, useEffect } from "react";
import { knownFailuresQuery } from "../../api/known-failures";
import { live } from "../../api/live";
import { useSession } from "../../api/session";
import { addressOf } from "../../lib/base";
import { counted } from "../../lib/counted";
import { expiringSoon } from "../../lib/known-failures";
import type { Permission } from "../../lib/permissions";
import { formatClock, localZone } from "../../lib/time";
import { useNow } from "../../ui/clock";
import { useShortcuts } from "../../ui/shortcuts";
import { Toasts } from "../../ui/toasts";
import { LiveLight, StaleStrip } from "../live/live-light";
import { useLiveQueries } from "../live/use-live-queries";
import { PaletteButton } from "../palette/palette-button";
import { ViewLinks } from "../saved-views/view-links";
import { useMay } from "../session/permissions";
import { UserMenu } from "../session/user-menu";
import { Banners } from "../system/banners";
import { ShortcutsSheet } from "./shortcuts-sheet";
import "./shell.css";

interface PageLink {
  to:
    | "/"
    | "/inbox"
    | "/runs"
    | "/logs"
    | "/flows"
    | "/agents"
    | "/automations"
    | "/limits"
    | "/secrets"
    | "/people"
    | "/system/storage";
  label: string;
  keys: string;
  icon: string;
  /** Only those who have it see the entry. */
  permission?: Permission;
}

const PAGES: readonly PageLink[] = [
  { to: "/", label: "Home", keys: "g h", icon: "M1.5 6 6 2 10.5 6M3 5V10H9V5" },
  { to: "/inbox", label: "Inbox", keys: "g i", icon: "M2 7 3.5 2.5H8.5L10 7V9.5H2ZM2 7H4.5L5 8H7L7.5 7H10" },
  { to: "/runs", label: "Runs", keys: "g r", icon: "M3.5 2 10 6 3.5 10Z" },
  { to: "/flows", label: "Flows", keys: "g f", icon: "M2 2.5H5V5.5H2ZM7 6.5H10V9.5H7ZM3.5 5.5V8H7" },
  { to: "/logs", label: "Logs", keys: "g s", icon: "M2 3H10M2 6H10M2 9H6.5" },
  { to: "/agents", label: "Agents", keys: "g a", icon: "M2 2H10V5H2ZM2 7H10V10H2ZM4 3.5H4.1M4 8.5H4.1" },
  {
    to: "/automations",
    label: "Automations",
    keys: "g u",
    icon: "M7 1.5 2.5 7H6L5 10.5 9.5 5H6Z",
  },
  { to: "/limits", label: "Limits", keys: "g l", icon: "M2 9V4.5H4V9ZM5 9V2H7V9ZM8 9V6H10V9Z" },
  {
    to: "/secrets",
    label: "Secrets",
    keys: "g e",
    icon: "M3 5.5H9V10.5H3ZM4 5.5V4A2 2 0 0 1 8 4V5.5",
    permission: "secrets:read",
  },
  {
    to: "/people",
    label: "People",
    keys: "g p",
    icon: "M6 5.5A2 2 0 1 0 6 1.5A2 2 0 1 0 6 5.5M2 10.5C2 6.5 10 6.5 10 10.5",
    permission: "users:manage",
  },
  {
    to: "/system/storage",
    label: "Storage",
    keys: "g y",
    icon: "M2 3C2 1.5 10 1.5 10 3V9C10 10.5 2 10.5 2 9ZM2 3C2 4.5 10 4.5 10 3M2 6C2 7.5 10 7.5 10 6",
    permission: "results:manage",
  },
];

/** The frame of all pages: top bar, navigation, live indicator, banners, toasts. On a wall screen only the page and what concerns everyone. */
export function Shell() {
  const navigate = useNavigate();
  const may = useMay();
  const isKiosk = useMatch({ from: "/app/", shouldThrow: false })?.search.kiosk === true;
  const pages = PAGES.filter(({ permission }) => !permission || may(permission));
  useLiveQueries();
  useEffect(() => {
    live.start();
    return () => live.stop();
  }, []);
  useShortcuts("Everywhere", [
    ...pages.map((page) => ({ keys: page.keys, label: page.label, run: () => void navigate({ to: page.to }) })),
    { keys: "Shift L", label: "Pause or resume live updates", run: () => live.togglePause() },
    ...(isKiosk ? [{ keys: "Escape", label: "Leave the wall screen", run: () => void navigate({ to: "/" }) }] : []),
  ]);
  return (
    <div className={isKiosk ? "shell kiosk" : "shell"}>
      <a className="skip" href="#main">
        Skip to content
      </a>
      {!isKiosk && (
        <>
          <TopBar pages={pages} />
          <Navigation pages={pages} />
        </>
      )}
      <main id="main" className="main" tabIndex={-1}>
        <div className="strips">
          <StaleStrip />
          <Banners />
        </div>
        <Outlet />
      </main>
      <Toasts />
      <ShortcutsSheet />
    </div>
  );
}

function Navigation({ pages }: { pages: readonly PageLink[] }) {
  return (
    <nav className="nav" aria-label="Main">
      {pages.map((page) => (
        <Fragment key={page.to}>
          <Link
            to={page.to}
            className="nav-link"
            activeOptions={{ exact: page.to === "/" }}
            activeProps={{ "aria-current": "page" }}
          >
            <svg className="state-icon nav-icon" width="14" height="14" viewBox="0 0 12 12" aria-hidden="true">
              <path d={page.icon} />
            </svg>
            <span>{page.label}</span>
            {page.to === "/inbox" && <Expiring />}
            <kbd>{page.keys}</kbd>
          </Link>
          {page.to === "/runs" && <ViewLinks />}
        </Fragment>
      ))}
    </nav>
  );
}

/** How many known failures count again within a day. */
function Expiring() {
  const known = useQuery(knownFailuresQuery);
  const now = useNow();
  const number = expiringSoon(known.data ?? [], now);
  if (number === 0) return null;
  return (
    <b className="nav-badge number" title={`${counted(number, "known failure")} will count again within a day`}>
      {number}
    </b>
  );
}

function TopBar({ pages }: { pages: readonly PageLink[] }) {
  const { siteName } = useSession();
  return (
    <header className="top">
      <Link to="/" className="brand">
        <img src={addressOf("/icons/idle.svg")} alt="" width="20" height="20" />
        Appliance
      </Link>
      {siteName && siteName !== "Appliance" && <span className="site">{siteName}</span>}
      <span className="spring" />
      <PaletteButton pages={pages} />
      <span className="spring" />
      <LiveLight />
      <TopClock />
      <UserMenu />
    </header>
  );
}

function TopClock() {
  const now = useNow();
  return (
    <span className="muted number wide-only" title="All times are in this time zone">
      {formatClock(new Date(now))} {localZone()}
    </span>
  );
}
