/** Empty, error and loading states: in place, with the final geometry, so that nothing jumps. */

import { type ReactNode, useEffect, useState } from "react";
import { Button } from "react-aria-components";
import { ApiError } from "../api/http";
import { copyText } from "./copy";

/** `isPage`: it fills the whole page, so its title is the page's heading. */
export function Empty(props: { title: string; children?: ReactNode; action?: ReactNode; isPage?: boolean }) {
  const { title, children, action, isPage } = props;
  const Title = isPage ? "h1" : "p";
  return (
    <div className="notice">
      <Title className="notice-title">{title}</Title>
      {children && <div className="muted">{children}</div>}
      {action}
    </div>
  );
}

export function Failure({ error, retry, what }: { error: Error; retry: () => void; what: string }) {
  const apiError = error instanceof ApiError ? error : null;
  const details = apiError
    ? `${apiError.code} (${apiError.status}) ${apiError.requestId} ${location.pathname}`
    : `${error.name} ${location.pathname}`;
  return (
    <div className="notice" role="alert">
      <p className="notice-title text-failed">{what} could not be loaded.</p>
      <p>{error.message}</p>
      <p className="mono subtle">{details}</p>
      <div className="row">
        <Button className="button primary" onPress={retry}>
          Try again
        </Button>
        <Button className="button" onPress={() => void copyText(`${error.message} ${details}`, "Details copied.")}>
          Copy details
        </Button>
      </div>
    </div>
  );
}

/** True after 150 ms: until then no skeleton appears, so that fast responses don't flicker. */
function useWaited(): boolean {
  const [waited, setWaited] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setWaited(true), 150);
    return () => window.clearTimeout(timer);
  }, []);
  return waited;
}

const WIDTHS = [72, 120, 96, 210, 64, 140];

export function Skeleton({ rows, label }: { rows: number; label: string }) {
  const waited = useWaited();
  return (
    <div className="skeleton" role="status" aria-label={`Loading ${label}`}>
      {waited &&
        Array.from({ length: rows }, (_, row) => (
          <div className="skeleton-row" key={row}>
            {WIDTHS.map((width, cell) => (
              <span key={width} style={{ width: width - ((row * 7 + cell * 13) % 30) }} />
            ))}
          </div>
        ))}
    </div>
  );
}
