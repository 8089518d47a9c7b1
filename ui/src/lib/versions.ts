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
