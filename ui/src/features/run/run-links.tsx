/** A message in which the addresses of runs, such as `/runs/0198f0c2-…`, are links. */

import { Link } from "@tanstack/react-router";

const ADDRESS = /\/runs\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/g;

export function RunLinks({ text }: { text: string }) {
  return text.split(ADDRESS).map((part, index) =>
    index % 2 === 1 ? (
      <Link key={index} to="/runs/$runId" params={{ runId: part }} className="link">
        /runs/{part}
      </Link>
    ) : (
      part
    ),
  );
}
