import type { ReactNode } from "react";
import { addressOf } from "../../lib/base";
import "./door.css";

/** The frame of the pages for people who have not signed in. */
export function DoorPage({ title, subtitle, children }: { title: string; subtitle?: string; children: ReactNode }) {
  return (
    <main className="door">
      <div className="door-card">
        <div className="door-brand">
          <img src={addressOf("/icons/idle.svg")} alt="" width="32" height="32" />
          <span>Appliance</span>
        </div>
        <h1>{title}</h1>
        {subtitle && subtitle !== "Appliance" && <p className="muted">{subtitle}</p>}
        {children}
      </div>
    </main>
  );
}
