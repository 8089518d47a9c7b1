/** A server at the place of `fetch`: tests say what it answers and look at what was asked; all code above it is the real one. */

import { vi } from "vitest";

export interface Call {
  method: string;
  path: string;
  headers: Headers;
  body: unknown;
  /** The body as it was sent. */
  text: string;
}

type Answer = Response | object | null;
type Handler = (call: Call) => Answer | Promise<Answer>;
type Resolver = (variables: Record<string, unknown>) => object | Promise<object>;

export class FakeServer {
  readonly calls: Call[] = [];
  private readonly handlers = new Map<string, Handler>();
  private readonly resolvers = new Map<string, Resolver>();

  /** What a route answers, such as `POST /api/v1/bulk`; a path may end in `?` to match any query. */
  on(route: string, handler: Handler | object): this {
    this.handlers.set(route, typeof handler === "function" ? (handler as Handler) : () => handler);
    return this;
  }

  /** What GraphQL answers to a question with this root field: the whole `data`. */
  onField(field: string, resolver: Resolver | object): this {
    this.resolvers.set(field, typeof resolver === "function" ? (resolver as Resolver) : () => resolver);
    return this;
  }

  /** The bodies that came to a route. */
  bodies(route: string): unknown[] {
    return this.callsTo(route).map((call) => call.body);
  }

  callsTo(route: string): Call[] {
    return this.calls.filter((call) => isRoute(route, call));
  }

  /** The variables of the GraphQL questions with this root field. */
  variables(field: string): Record<string, unknown>[] {
    return this.callsTo("POST /graphql")
      .map((call) => call.body as { query: string; variables: Record<string, unknown> })
      .filter((body) => rootFields(body.query).includes(field))
      .map((body) => body.variables);
  }

  async answer(path: string, init: RequestInit = {}): Promise<Response> {
    const text = typeof init.body === "string" ? init.body : "";
    const body = text ? (JSON.parse(text) as unknown) : undefined;
    const call = { method: init.method ?? "GET", path, headers: new Headers(init.headers), body, text };
    this.calls.push(call);
    const handler = [...this.handlers].find(([route]) => isRoute(route, call))?.[1];
    if (handler) return toResponse(await handler(call));
    if (path.endsWith("/graphql"))
      return this.answerGraphql(body as { query: string; variables: Record<string, unknown> });
    throw new Error(`The test's server has no route ${call.method} ${path}.`);
  }

  private async answerGraphql({
    query,
    variables,
  }: {
    query: string;
    variables: Record<string, unknown>;
  }): Promise<Response> {
    const fields = rootFields(query);
    const resolver = fields.map((field) => this.resolvers.get(field)).find((one) => one !== undefined);
    if (!resolver) throw new Error(`The test's server has no resolver for ${fields.join(", ")}.`);
    const answer = await resolver(variables);
    return answer instanceof Response ? answer : toResponse({ data: answer });
  }
}

function isRoute(route: string, { method, path }: Call): boolean {
  const called = `${method} ${path}`;
  return route.endsWith("?") ? called.split("?")[0] === route.slice(0, -1) : called === route;
}

/** `query Counts(...) { restart: flowRuns(...) { total } }` asks for `flowRuns`. */
function rootFields(query: string): string[] {
  const fields: string[] = [];
  let depth = 0;
  let parentheses = 0;
  for (const [token] of query.matchAll(/[{}()]|[\w$]+:?/g)) {
    if (token === "(") parentheses += 1;
    else if (token === ")") parentheses -= 1;
    else if (parentheses > 0) continue;
    else if (token === "{") depth += 1;
    else if (token === "}") depth -= 1;
    else if (depth === 1 && !token.endsWith(":")) fields.push(token);
  }
  return fields;
}

function toResponse(answer: Answer): Response {
  if (answer instanceof Response) return answer;
  return new Response(answer === null ? "" : JSON.stringify(answer), { status: 200 });
}

/** A refusal as the server words it. */
export function refusal(status: number, code: string, message: string, details: object = {}): Response {
  return new Response(JSON.stringify({ code, message, request_id: "request-1", details }), { status });
}

/** A refusal of GraphQL. */
export function graphqlError(code: string, message: string, details: object = {}): Response {
  const extensions = { ...details, code, request_id: "request-1" };
  return new Response(JSON.stringify({ data: null, errors: [{ message, extensions }] }));
}

/** Puts a new server in the place of `fetch`. */
export function fakeServer(): FakeServer {
  const server = new FakeServer();
  vi.stubGlobal("fetch", (path: string, init?: RequestInit) => server.answer(path, init));
  return server;
}

/** An answer that the test gives when it likes. */
export function held<T>(): { promise: Promise<T>; release: (value: T) => void } {
  let release: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    release = resolve;
  });
  return { promise, release };
}
