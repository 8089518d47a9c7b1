/** The views of the runs that a user has saved: the list, saving one, editing and deleting it. */

import { queryOptions } from "@tanstack/react-query";
import { SORTS } from "../lib/run-filter";
import type { SavedView } from "../lib/saved-views";
import {
  DeleteViewDocument,
  EditViewDocument,
  type EditViewInput,
  SavedViewsDocument,
  SaveViewDocument,
  type SaveViewInput,
} from "./generated";
import { execute } from "./graphql";
import { savedViewKeys } from "./keys";
import { currentSession } from "./session";

export const savedViewsQuery = queryOptions({
  queryKey: savedViewKeys.list,
  queryFn: async ({ signal }): Promise<SavedView[]> => (await execute(SavedViewsDocument, {}, signal)).savedViews,
  initialData: ofPage,
  staleTime: Number.POSITIVE_INFINITY, // the stream reports changes
});

/** Those that the page came with, so that the list of runs doesn't wait for them. */
function ofPage(): SavedView[] | undefined {
  return currentSession().views?.map(({ sort, ...view }) => ({ ...view, sort: sort && SORTS[sort] }));
}

/** Saves a view, in place of the one of this name. */
export async function saveView(input: SaveViewInput): Promise<void> {
  await execute(SaveViewDocument, { input });
}

export async function editView(input: EditViewInput): Promise<void> {
  await execute(EditViewDocument, { input });
}

export async function deleteView(input: { savedViewId: string }): Promise<void> {
  await execute(DeleteViewDocument, { input });
}
