/** Asks queries again after changes: at once if they are old enough, or else when they are. A storm of changes is a few questions. */

import type { Query, QueryClient, QueryFilters } from "@tanstack/react-query";

export class Paced {
  private readonly timers = new Map<string, { at: number; timer: number }>();

  constructor(private readonly client: QueryClient) {}

  /** Asks those on screen again, each at most once per `every` ms; the others when they are shown. */
  again(filters: QueryFilters, every: number): void {
    void this.client.invalidateQueries({ ...filters, type: "inactive" });
    for (const query of this.client.getQueryCache().findAll({ ...filters, type: "active" })) this.askOnce(query, every);
  }

  stop(): void {
    for (const { timer } of this.timers.values()) window.clearTimeout(timer);
    this.timers.clear();
  }

  /** The answer to a question that is under way may be older than the change. */
  private askOnce({ queryKey, queryHash, state }: Query, every: number): void {
    const now = Date.now();
    const at = state.fetchStatus === "fetching" ? now + every : Math.max(now, state.dataUpdatedAt + every);
    const planned = this.timers.get(queryHash);
    if (planned && planned.at <= at) return;
    window.clearTimeout(planned?.timer);
    const ask = () => {
      this.timers.delete(queryHash);
      void this.client.invalidateQueries({ queryKey, exact: true }, { cancelRefetch: false });
    };
    if (at === now) ask();
    else this.timers.set(queryHash, { at, timer: window.setTimeout(ask, at - now) });
  }
}
