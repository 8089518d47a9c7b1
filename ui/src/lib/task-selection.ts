/** A task or one of its mapped children as text, such as `load[17]`: in addresses, and to people. */

export function selectionOf(taskSlug: string, mapIndex: number): string {
  return mapIndex >= 0 ? `${taskSlug}[${mapIndex}]` : taskSlug;
}

export function parseSelection(text: string): { taskSlug: string; mapIndex: number | null } | null {
  const match = /^(.+?)(?:\[(\d+)\])?$/.exec(text);
  if (!match?.[1]) return null;
  return { taskSlug: match[1], mapIndex: match[2] === undefined ? null : Number(match[2]) };
}
