/** What the command palette finds on the server: flows and runs by name, and whatever has an id. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { ObjectByIdDocument, ObjectsByNameDocument } from "./generated";
import { execute } from "./graphql";
import { paletteKeys } from "./keys";

export function objectsByNameQuery(name: string) {
  return queryOptions({
    queryKey: paletteKeys.name(name),
    queryFn: ({ signal }) => execute(ObjectsByNameDocument, { name }, signal),
    enabled: name !== "",
    placeholderData: keepPreviousData,
  });
}

export function objectByIdQuery(id: string) {
  return queryOptions({
    queryKey: paletteKeys.id(id),
    queryFn: ({ signal }) => execute(ObjectByIdDocument, { id }, signal),
    enabled: id !== "",
  });
}
