/** What the server takes as a secret. */

const NAME = /^[A-Za-z_-][A-Za-z0-9_-]*$/;
const LONGEST_NAME = 100;
const MOST_BYTES = 64 * 1024;
export const NAME_HELP = 'As in the code: Secret("NAME"). Letters, digits, underscores, and hyphens.';

export function nameError(name: string): string {
  if (!name) return "Enter a name.";
  if (!NAME.test(name)) return "Use letters, digits, underscores, and hyphens, and no digit first.";
  return name.length > LONGEST_NAME ? `Use at most ${LONGEST_NAME} characters.` : "";
}

export function valueError(value: string): string {
  if (!value) return "Enter a value.";
  return new TextEncoder().encode(value).length > MOST_BYTES ? "The value is too long; use at most 64 KiB." : "";
}
