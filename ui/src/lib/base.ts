/** The UI's base path on its host: the root, or a prefix that a proxy strips. It needs no configuration: the build's
 * scripts are always one folder below. */

/** The path of the folder above a script of the build. */
export function baseOf(script: string): string {
  return new URL("../", script).pathname;
}

export const BASE = import.meta.env.DEV ? "/" : baseOf(import.meta.url);

/** The address of one of the appliance's paths, such as `/api/v1/info`. */
export function addressOf(path: string, base = BASE): string {
  return base + path.replace(/^\//, "");
}

/** Two appliances on one host share a browser's channels and locks, so these names must differ. */
export function nameHere(name: string, base = BASE): string {
  return base === "/" ? name : `${name} ${base}`;
}
