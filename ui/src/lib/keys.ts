/** A key under which the server does a thing once, however often it is asked. Not every address is a secure context with randomUUID. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
