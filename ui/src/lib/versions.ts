/** Versions of flows in words. */

export interface Numbered {
  number: number;
  restores: number | null;
}

/** "Version 3, restores 1". */
export function versionName({ number, restores }: Numbered): string {
  return restores === null ? `Version ${number}` : `Version ${number}, restores ${restores}`;
}

/** "v3, restores v1", for a line with other facts. */
export function shortVersion({ number, restores }: Numbered): string {
  return restores === null ? `v${number}` : `v${number}, restores v${restores}`;
}

/** The number of a version in a URL. */
export function parseVersion(value: unknown): number | undefined {
  return /^[1-9]\d{0,8}$/.test(String(value)) ? Number(value) : undefined;
}
