/** Where the UI lies on its host: at the top, or under a prefix that a proxy takes off. Nothing has to be configured for it: the build's
 * scripts lie in one folder below. */

/** The path of the folder above a script of the build. */
export function baseOf(script: string): string {
  return new URL("../", script).pathname;
}

export const BASE = import.meta.env.DEV ? "/" : baseOf(import.meta.url);

/** The address of a path of the appliance's own, such as `/api/v1/info`. */
export function addressOf(path: string, base = BASE): string {
  return base + path.replace(/^\//, "");
}

/** Two appliances on one host share a browser's channels and locks; their names must not meet. */
export function nameHere(name: string, base = BASE): string {
  return base === "/" ? name : `${name} ${base}`;
}
