/** Only paths of this appliance: a link must not redirect elsewhere after signing in. */
export function safePath(next: string | undefined): string {
  return next && /^\/(?![/\\])/.test(next) ? next : "/";
}

/** A text parameter of the URL; undefined if it is empty or not a text. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" && value ? value : undefined;
}
