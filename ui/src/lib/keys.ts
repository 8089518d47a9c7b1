import { printJson } from "./json";

/** An idempotency key: the server acts once per key. Not every address is a secure context with randomUUID. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export type Keyed<T> = T & { idempotencyKey: string };

/** Gives each request of a form its key: the same one for the same content, so that sending it again after a lost answer has no second
 * effect, and another one for any other content, as a key stands for one request. */
export function keyPerContent(): <T extends object>(content: T) => Keyed<T> {
  const keys = new Map<string, string>();
  return (content) => {
    const text = printJson(content);
    const key = keys.get(text) ?? newKey();
    keys.set(text, key);
    return { ...content, idempotencyKey: key };
  };
}
