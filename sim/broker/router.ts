/**
 * Where a message goes: the subscriptions that match its topic, one receiver a session however many of its filters match,
 * one member of each shared group, handlers in this process. Keeps the answer per topic while no subscription changes.
 * Does not know who may publish what.
 */
import type { Context } from './context.ts';
import { ACCEPTED, REFUSED_FULL, type Deliveries } from './deliveries.ts';
import type { Message } from './message.ts';
import type { Delivery, Session, Subscription } from './session.ts';
import { SharedGroup } from './shared-group.ts';
import { TopicTree } from './topic-tree.ts';

/** Routes kept, and receivers in all of them. */
const ROUTES_MAX = 4096;
const ROUTE_TARGETS_MAX = 65_536;
/** Characters of a Topic Name; the routes of longer ones are found each time, so that they hold no memory. */
const ROUTE_TOPIC_LENGTH_MAX = 512;

/** A handler in the broker's own process. */
export interface LocalSubscription {
  readonly topicFilter: string;
  readonly handler: (message: Message) => void;
}

/** One session that a topic goes to, with what its matching subscriptions say together. */
class Target {
  readonly session: Session;
  readonly subscriptions: Subscription[];
  /** The highest QoS of them [MQTT-3.3.4-2]. */
  qos: number;
  isRetainAsPublished: boolean;
  hasNoLocal: boolean;
  /** Identifiers of all of them, in one packet [MQTT-3.3.4-3], [MQTT-3.3.4-4]. */
  identifiers: readonly number[];

  constructor(first: Subscription) {
    this.session = first.session;
    this.subscriptions = [first];
    this.qos = first.qos;
    this.isRetainAsPublished = first.isRetainAsPublished;
    this.hasNoLocal = first.isNoLocal;
    this.identifiers = first.identifiers;
  }

  add(other: Subscription): void {
    this.subscriptions.push(other);
    this.qos = Math.max(this.qos, other.qos);
    this.isRetainAsPublished ||= other.isRetainAsPublished;
    this.hasNoLocal ||= other.isNoLocal;
    if (other.identifier !== 0) this.identifiers = [...this.identifiers, other.identifier];
  }
}

class Route {
  readonly targets: Target[];
  readonly groups: SharedGroup<Subscription>[];
  readonly locals: LocalSubscription[];

  constructor(targets: Target[], groups: SharedGroup<Subscription>[], locals: LocalSubscription[]) {
    this.targets = targets;
    this.groups = groups;
    this.locals = locals;
  }
}

/** Beside the outcomes of a delivery: there was none. */
const UNMATCHED_BY_NO_LOCAL = -1;

/** What came of a message. */
export const ROUTED = 0;
/** Nobody subscribes to its topic. */
export const UNMATCHED = 1;
/** Somebody does, but there is no room for it in any of their queues. */
export const NO_ROOM = 2;

export class Router {
  private readonly context: Context;
  private readonly deliveries: Deliveries;
  private readonly plain = new TopicTree<Subscription>();
  private readonly shared = new TopicTree<SharedGroup<Subscription>>();
  private readonly local = new TopicTree<LocalSubscription>();
  /** By share name and filter: the whole `$share/…`. */
  private readonly groups = new Map<string, SharedGroup<Subscription>>();
  private readonly routes = new Map<string, Route>();
  private routeTargets = 0;
  private routesVersion = 0;
  private subscriptionCount = 0;

  constructor(context: Context, deliveries: Deliveries) {
    this.context = context;
    this.deliveries = deliveries;
  }

  /** Subscriptions of all sessions. */
  get count(): number {
    return this.subscriptionCount;
  }

  /** The group of a shared filter, there or made. */
  groupOf(topicFilter: string): SharedGroup<Subscription> {
    let group = this.groups.get(topicFilter);
    if (group === undefined) {
      const nameEnd = topicFilter.indexOf('/', 7);
      const { shareStrategy } = this.context.offer;
      const shareName = topicFilter.slice(7, nameEnd);
      group = new SharedGroup(shareName, topicFilter.slice(nameEnd + 1), shareStrategy, this.context.random);
    }
    return group;
  }

  add(subscription: Subscription): void {
    const { group, topicFilter } = subscription;
    this.subscriptionCount++;
    if (group === null) {
      this.plain.add(topicFilter, subscription);
      return;
    }
    if (group.members.length === 0) {
      this.groups.set(topicFilter, group);
      this.shared.add(group.topicFilter, group);
    }
    group.add(subscription);
  }

  remove(subscription: Subscription): void {
    const { group, topicFilter } = subscription;
    this.subscriptionCount--;
    if (group === null) {
      this.plain.remove(topicFilter, subscription);
      return;
    }
    group.remove(subscription);
    if (group.members.length > 0) return;
    this.groups.delete(topicFilter);
    this.shared.remove(group.topicFilter, group);
  }

  addLocal(subscription: LocalSubscription): void {
    this.local.add(subscription.topicFilter, subscription);
  }

  removeLocal(subscription: LocalSubscription): void {
    this.local.remove(subscription.topicFilter, subscription);
  }

  /** Gives `message` to everybody who is to have it. `publisher` is the session it came from, or null. */
  route(message: Message, publisher: Session | null, nowMs: number): number {
    const { targets, groups, locals } = this.routeOf(message.topicName);
    if (targets.length + groups.length + locals.length === 0) return UNMATCHED;
    let accepted = locals.length;
    let refused = 0;
    let matched = locals.length;
    for (const target of targets) {
      const outcome = this.deliverTo(target, message, publisher, nowMs);
      if (outcome === UNMATCHED_BY_NO_LOCAL) continue;
      matched++;
      if (outcome === REFUSED_FULL) refused++;
      else accepted++;
    }
    for (const group of groups) {
      const outcome = this.deliverToGroup(group, message, nowMs);
      matched++;
      if (outcome === REFUSED_FULL) refused++;
      else accepted++;
    }
    this.deliveries.finish();
    for (const { handler } of locals) handler(message);
    if (matched === 0) return UNMATCHED;
    return accepted === 0 && refused > 0 ? NO_ROOM : ROUTED;
  }

  private deliverTo(target: Target, message: Message, publisher: Session | null, nowMs: number): number {
    const { session } = target;
    let { qos, isRetainAsPublished, identifiers } = target;
    if (target.hasNoLocal && session === publisher) {
      // Those with No Local do not count for what the client itself publishes [MQTT-3.8.3-3].
      const others = target.subscriptions.filter(({ isNoLocal }) => !isNoLocal);
      if (others.length === 0) return UNMATCHED_BY_NO_LOCAL;
      const rest = combine(others);
      ({ qos, isRetainAsPublished, identifiers } = rest);
    }
    return this.deliveries.deliver(
      session,
      message,
      Math.min(message.qos, qos),
      message.isRetain && isRetainAsPublished, // [MQTT-3.3.1-12], [MQTT-3.3.1-13]
      identifiers,
      null,
      nowMs,
    );
  }

  private deliverToGroup(group: SharedGroup<Subscription>, message: Message, nowMs: number): number {
    const member = group.choose(message);
    if (member === null) return ACCEPTED;
    const qos = Math.min(message.qos, member.qos); // [MQTT-4.8.2-3]
    const isRetain = message.isRetain && member.isRetainAsPublished;
    return this.deliveries.deliver(member.session, message, qos, isRetain, member.identifiers, group, nowMs);
  }

  /**
   * Gives what one member of a group had, and has not got, to another. What finds no member, or no room, is dropped: there
   * is nobody to give it to.
   */
  hand(deliveries: readonly Delivery[], nowMs: number): void {
    for (const { message, group, qos } of deliveries) {
      const member = group?.choose(message) ?? null;
      if (group === null || member === null || message.isExpired(nowMs)) continue;
      this.deliveries.deliver(
        member.session,
        message,
        Math.min(qos, member.qos),
        message.isRetain && member.isRetainAsPublished,
        member.identifiers,
        group,
        nowMs,
      );
    }
    this.deliveries.finish();
  }

  private routeOf(topicName: string): Route {
    const version = this.plain.version + this.shared.version + this.local.version;
    if (version !== this.routesVersion) {
      this.routesVersion = version;
      this.forgetRoutes();
    }
    const known = this.routes.get(topicName);
    if (known !== undefined) return known;
    const route = this.findRoute(topicName);
    const { targets } = route;
    if (this.routes.size >= ROUTES_MAX || this.routeTargets + targets.length > ROUTE_TARGETS_MAX) {
      this.forgetRoutes();
    }
    if (targets.length <= ROUTE_TARGETS_MAX && topicName.length <= ROUTE_TOPIC_LENGTH_MAX) {
      this.routes.set(topicName, route);
      this.routeTargets += targets.length;
    }
    return route;
  }

  private forgetRoutes(): void {
    this.routes.clear();
    this.routeTargets = 0;
  }

  private findRoute(topicName: string): Route {
    const subscriptions: Subscription[] = [];
    const groups: SharedGroup<Subscription>[] = [];
    const locals: LocalSubscription[] = [];
    this.plain.match(topicName, subscriptions);
    this.shared.match(topicName, groups);
    this.local.match(topicName, locals);
    const targets = new Map<Session, Target>();
    for (const subscription of subscriptions) {
      const target = targets.get(subscription.session);
      if (target === undefined) targets.set(subscription.session, new Target(subscription));
      else target.add(subscription);
    }
    return new Route([...targets.values()], groups, locals);
  }
}

function combine(subscriptions: Subscription[]): Target {
  const target = new Target(subscriptions[0]);
  for (const other of subscriptions.slice(1)) target.add(other);
  return target;
}
