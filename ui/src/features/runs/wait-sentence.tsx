/** Why a run waits, with links to the runs that it waits for. */

import { Link } from "@tanstack/react-router";
import { piecesOf, type WaitHolder } from "../../lib/waiting";

export function WaitSentence({ sentence, holders }: { sentence: string; holders: readonly WaitHolder[] }) {
  return piecesOf(sentence, holders).map((piece, index) =>
    piece.id ? (
      <Link key={index} to="/runs/$runId" params={{ runId: piece.id }} className="above link" preload={false}>
        {piece.text}
      </Link>
    ) : (
      piece.text
    ),
  );
}
