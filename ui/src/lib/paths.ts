/** Only paths of this appliance: a link must not lead a person elsewhere after signing in. */
export function safePath(next: string | undefined): string {
  return next && /^\/(?![/\\])/.test(next) ? next : "/runs";
}

/** A text of the address; undefined for what is none, or empty. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" && value ? value : undefined;
}
