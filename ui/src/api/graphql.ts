/** GraphQL by hand: a text with the types of its variables and its result. */

import { ApiError, request } from "./http";

export interface Document<Result, Variables> {
  text: string;
  /** Never set; they carry the types. */
  readonly result?: Result;
  readonly variables?: Variables;
}

interface Answer<Result> {
  data?: Result | null;
  errors?: { message: string; extensions?: { code?: string; request_id?: string } }[];
}

export function document<Result, Variables>(text: string): Document<Result, Variables> {
  return { text };
}

export async function ask<Result, Variables>(
  wanted: Document<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  const answer = await request<Answer<Result>>("POST", "/graphql", { query: wanted.text, variables }, signal);
  const error = answer.errors?.[0];
  if (error) throw new ApiError(200, error.extensions?.code ?? "graphql", error.message, error.extensions?.request_id);
  if (!answer.data) throw new ApiError(200, "malformed", "The server's answer held no data. Try again.");
  return answer.data;
}
