/** The search index of the documentation, which the appliance serves. */

import { queryOptions } from "@tanstack/react-query";
import type { DocsPart } from "../lib/palette";
import { request } from "./http";
import { docsKeys } from "./keys";

export const docsQuery = queryOptions({
  queryKey: docsKeys.index,
  queryFn: async ({ signal }) =>
    (await request<{ docs: DocsPart[] }>("GET", "/docs/search/search_index.json", undefined, signal)).docs,
  staleTime: Number.POSITIVE_INFINITY,
});
