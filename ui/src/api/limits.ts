/** Concurrency limits and the holders of their slots. */

import { queryOptions } from "@tanstack/react-query";
import { type LimitRowFragment, LimitsDocument, RemoveLimitDocument, SetLimitDocument } from "./generated";
import { execute } from "./graphql";
import { limitKeys } from "./keys";

/** The name is a label, a tag, or a flow as `project/flow`. The longest holders come first, at most 50; with `per`, in seconds, the newest starts. */
export type Limit = LimitRowFragment;
/** For a limit on tasks, with the task that holds the slot or has started. */
export type Holder = Limit["holders"][number];

export const limitsQuery = queryOptions({
  queryKey: limitKeys.list,
  queryFn: async ({ signal }) => (await execute(LimitsDocument, {}, signal)).concurrencyLimits,
});

/** Creates a limit, or changes the numbers of the one with the same kind and name. */
export async function setLimit(input: Pick<Limit, "kind" | "name" | "slots" | "per">): Promise<Limit> {
  return (await execute(SetLimitDocument, { input })).setConcurrencyLimit.concurrencyLimit;
}

export async function removeLimit(concurrencyLimitId: string): Promise<void> {
  await execute(RemoveLimitDocument, { input: { concurrencyLimitId } });
}
