import type { ReactNode } from "react";

/** A card of the home page, with its heading and what stands beside it. */
export function Card({
  title,
  note,
  end,
  children,
}: {
  title: string;
  note?: ReactNode;
  end?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className="card" aria-label={title}>
      <div className="card-head">
        <h2>{title}</h2>
        {note !== undefined && <span className="muted number">{note}</span>}
        <span className="spring" />
        {end}
      </div>
      {children}
    </section>
  );
}
