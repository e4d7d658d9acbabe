/**
 * Which subscriptions a message is for. With Subscription Identifiers the server says so; without, the filters do.
 */
import { isMatch, sharedFilterOffset } from '../topic.ts';
import { encodeUtf8 } from '../wire/utf8.ts';
import type { Subscription } from './subscription.ts';

/** One Topic Filter, and who wants it. */
class Route {
  readonly topicFilter: string;
  readonly holders: Subscription[] = [];
  private readonly bytes: Uint8Array;
  private readonly from: number;

  constructor(topicFilter: string) {
    this.topicFilter = topicFilter;
    this.bytes = encodeUtf8(topicFilter) ?? new Uint8Array(0);
    this.from = sharedFilterOffset(this.bytes, 0, this.bytes.length);
  }

  isFor(name: Uint8Array, at: number, byteLength: number): boolean {
    return isMatch(this.bytes, this.from, this.bytes.length, name, at, at + byteLength);
  }
}

export class Routes {
  private readonly byFilter = new Map<string, Route>();
  private readonly byIdentifier = new Map<number, Route[]>();

  /** Adds `subscription` under each of its filters, and `identifier` (0 for none) for all of them. */
  add(subscription: Subscription, identifier: number): void {
    const routes = subscription.topicFilters.map((topicFilter) => {
      let route = this.byFilter.get(topicFilter);
      if (route === undefined) {
        route = new Route(topicFilter);
        this.byFilter.set(topicFilter, route);
      }
      if (!route.holders.includes(subscription)) route.holders.push(subscription);
      return route;
    });
    if (identifier !== 0) this.byIdentifier.set(identifier, routes);
  }

  /** Takes `subscription` away; returns the filters that nobody wants any more. */
  remove(subscription: Subscription): string[] {
    const unwanted: string[] = [];
    for (const topicFilter of subscription.topicFilters) {
      const route = this.byFilter.get(topicFilter);
      const at = route?.holders.indexOf(subscription) ?? -1;
      if (route === undefined || at < 0) continue;
      route.holders.splice(at, 1);
      if (route.holders.length === 0) {
        this.byFilter.delete(topicFilter);
        unwanted.push(topicFilter);
      }
    }
    for (const [identifier, routes] of this.byIdentifier) {
      if (routes.every((route) => route.holders.length === 0)) this.byIdentifier.delete(identifier);
    }
    return unwanted;
  }

  /** Puts into `found` each subscription that wants the message once. */
  find(
    name: Uint8Array,
    at: number,
    byteLength: number,
    identifiers: readonly number[] | undefined,
    found: Subscription[],
  ): void {
    // Setting the length of an array is a call into the engine; taking off what is there is not.
    while (found.length > 0) found.pop();
    if (identifiers !== undefined) {
      for (let i = 0; i < identifiers.length; i++) {
        const routes = this.byIdentifier.get(identifiers[i]);
        if (routes === undefined) continue;
        for (let k = 0; k < routes.length; k++) addHolders(routes[k], name, at, byteLength, found);
      }
      // With those of an earlier life of the session, the filters decide, as without any.
      if (found.length > 0) return;
    }
    for (const route of this.byFilter.values()) addHolders(route, name, at, byteLength, found);
  }

  /** Every subscription there is. */
  all(): Set<Subscription> {
    const all = new Set<Subscription>();
    for (const route of this.byFilter.values()) for (const holder of route.holders) all.add(holder);
    return all;
  }
}

function addHolders(
  route: Route,
  name: Uint8Array,
  at: number,
  byteLength: number,
  found: Subscription[],
): void {
  if (!route.isFor(name, at, byteLength)) return;
  for (const holder of route.holders) if (!found.includes(holder)) found.push(holder);
}
