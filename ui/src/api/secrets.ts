/** Secrets of projects: their names and who uses them. Values are sent, and never come back. */

import { queryOptions } from "@tanstack/react-query";
import type { Keyed } from "../lib/keys";
import { DeleteSecretDocument, type SecretRowFragment, SecretsDocument, SetSecretDocument } from "./generated";
import { execute } from "./graphql";
import { secretKeys } from "./keys";

export type Secret = SecretRowFragment;
const MOST_PAGES = 25;

export const secretsQuery = queryOptions({
  queryKey: secretKeys.list,
  queryFn: async ({ signal }) => {
    const secrets: Secret[] = [];
    let after: string | null = null;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { items, next }: { items: Secret[]; next: string | null } = (
        await execute(SecretsDocument, { after }, signal)
      ).secrets;
      secrets.push(...items);
      if (next === null) break;
      after = next;
    }
    return secrets;
  },
});

/** Creates a secret, or replaces the value of the one with the same project and name. */
export async function setSecret(input: Keyed<{ project: string; name: string; value: string }>): Promise<Secret> {
  return (await execute(SetSecretDocument, { input })).setSecret.secret;
}

export async function deleteSecret(input: Keyed<{ secretId: string }>): Promise<void> {
  await execute(DeleteSecretDocument, { input });
}
