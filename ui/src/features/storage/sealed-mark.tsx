/** Says that the server can't read something, and which key can. */
export function SealedMark({ keyId }: { keyId: string | null }) {
  return <span className="mark">{keyId ? `Sealed with ${keyId}` : "Sealed"}</span>;
}
