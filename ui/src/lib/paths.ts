/** Only paths of this appliance: a link must not lead a person elsewhere after signing in. */
export function safePath(next: string | undefined): string {
  return next && /^\/(?![/\\])/.test(next) ? next : "/runs";
}
