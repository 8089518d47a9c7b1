/** One GraphQL operation: its text with the types of its variables and its result, which are generated. */

import { ApiError, request } from "./http";

export interface Document<Result, Variables> {
  text: string;
  /** Never set; they only hold the types. */
  readonly result?: Result;
  readonly variables?: Variables;
}

interface Answer<Result> {
  data?: Result | null;
  errors?: { message: string; extensions?: { code?: string; request_id?: string } }[];
}

export async function execute<Result, Variables>(
  document: Document<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  const answer = await request<Answer<Result>>("POST", "/graphql", { query: document.text, variables }, signal);
  const error = answer.errors?.[0];
  if (error) throw new ApiError(200, error.extensions?.code ?? "graphql", error.message, error.extensions?.request_id);
  if (!answer.data) throw new ApiError(200, "malformed", "The server's response had no data. Try again.");
  return answer.data;
}
