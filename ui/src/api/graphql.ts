/** One GraphQL operation: its text with the types of its variables and its result, which are generated. */

import { printJson } from "../lib/json";
import { newKey } from "../lib/keys";
import { ApiError, request } from "./http";

export interface Document<Result, Variables> {
  text: string;
  /** Never set; they only hold the types. */
  readonly result?: Result;
  readonly variables?: Variables;
}

interface Answer<Result> {
  data?: Result | null;
  errors?: { message: string; extensions?: { code?: string; request_id?: string; [detail: string]: unknown } }[];
}

export async function execute<Result, Variables>(
  document: Document<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  const body = { query: document.text, variables };
  const answer = document.text.trimStart().startsWith("mutation")
    ? await change<Answer<Result>>(body)
    : await request<Answer<Result>>("POST", "/graphql", body, signal);
  const error = answer.errors?.[0];
  if (error) {
    const { code = "graphql", request_id: id, ...details } = error.extensions ?? {};
    throw new ApiError(200, code, error.message, id, details);
  }
  if (!answer.data) throw new ApiError(200, "malformed", "The server's response had no data. Try again.");
  return answer.data;
}

/** Whether the appliance itself refused; a proxy's page, which has no code, says nothing about what the appliance did. */
const isVerdict = (error: unknown) =>
  error instanceof ApiError && error.status >= 400 && error.status < 500 && !error.code.startsWith("http_");

const unanswered = new Map<string, string>();

/** Send a change with an idempotency key. If no answer arrives, the same change has the same key the next time. */
async function change<T>(body: unknown): Promise<T> {
  const content = printJson(body);
  const key = unanswered.get(content) ?? newKey();
  unanswered.set(content, key);
  try {
    const answer = await request<T>("POST", "/graphql", body, undefined, key);
    unanswered.delete(content);
    return answer;
  } catch (error) {
    if (isVerdict(error)) unanswered.delete(content);
    throw error;
  }
}
