/**
 * Who gets a message: by Subscription Identifiers, by filters, and by filters again when identifiers say nothing.
 */
import { describe, expect, it } from 'vitest';
import { Routes } from '../../src/client/routes.ts';
import { Subscription } from '../../src/client/subscription.ts';

const host = { holdBack: () => {}, release: () => Promise.resolve() };

function subscriptionOf(...filters: string[]): Subscription {
  return new Subscription(host, filters, undefined, 8);
}

function find(routes: Routes, topicName: string, identifiers?: number[]): Subscription[] {
  const found: Subscription[] = [subscriptionOf('left over from the message before')];
  const bytes = Buffer.from(`..${topicName}.`);
  routes.find(bytes, 2, bytes.length - 3, identifiers, found);
  return found;
}

describe('routes', () => {
  it('go by the identifiers that the server names, each subscription once', () => {
    const routes = new Routes();
    const [all, some, two] = [subscriptionOf('a/#'), subscriptionOf('a/+'), subscriptionOf('a/b', 'a/+/c')];
    routes.add(all, 1);
    routes.add(some, 2);
    routes.add(two, 300);
    expect(find(routes, 'a/b', [2])).toEqual([some]);
    expect(find(routes, 'a/b', [1, 300, 1])).toEqual([all, two]);
    expect(find(routes, 'a/x/c', [300])).toEqual([two]);
  });

  it('go by the filters without identifiers, overlapping ones too', () => {
    const routes = new Routes();
    const [all, some, other] = [subscriptionOf('a/#'), subscriptionOf('a/+'), subscriptionOf('b')];
    for (const one of [all, some, other]) routes.add(one, 0);
    expect(find(routes, 'a/b')).toEqual([all, some]);
    expect(find(routes, 'a')).toEqual([all]);
    expect(find(routes, 'b', [])).toEqual([other]);
    expect(find(routes, 'c')).toEqual([]);
  });

  it('leave $ topics to filters that name them [MQTT-4.7.2-1]', () => {
    const routes = new Routes();
    const [wild, system] = [subscriptionOf('#'), subscriptionOf('$SYS/#')];
    routes.add(wild, 0);
    routes.add(system, 0);
    expect(find(routes, '$SYS/uptime')).toEqual([system]);
  });

  it('look behind the share name of a shared filter', () => {
    const routes = new Routes();
    const shared = subscriptionOf('$share/workers/jobs/+');
    routes.add(shared, 0);
    expect(find(routes, 'jobs/1')).toEqual([shared]);
    expect(find(routes, 'workers/jobs/1')).toEqual([]);
    expect(find(routes, '$share/workers/jobs/1')).toEqual([]);
  });

  it('give a filter that two hold to both, and keep it until neither does', () => {
    const routes = new Routes();
    const [first, second] = [subscriptionOf('t'), subscriptionOf('t', 'u')];
    routes.add(first, 1);
    routes.add(second, 2);
    // The server knows the later identifier only: it replaced the subscription.
    expect(find(routes, 't', [2])).toEqual([first, second]);
    expect(routes.remove(second)).toEqual(['u']);
    expect(find(routes, 't', [2])).toEqual([first]);
    expect(routes.remove(second)).toEqual([]);
    expect(routes.remove(first)).toEqual(['t']);
    expect(find(routes, 't', [2])).toEqual([]);
    expect(routes.all().size).toBe(0);
  });

  it('hold a subscription that names a filter twice once', () => {
    const routes = new Routes();
    const twice = subscriptionOf('t', 't');
    routes.add(twice, 1);
    expect(find(routes, 't', [1])).toEqual([twice]);
    expect(find(routes, 't')).toEqual([twice]);
    expect(routes.remove(twice)).toEqual(['t']);
  });

  it('go by the filters when the identifiers are of an earlier life of the session', () => {
    const routes = new Routes();
    const [now, other] = [subscriptionOf('t/+'), subscriptionOf('u')];
    routes.add(now, 1);
    routes.add(other, 2);
    expect(find(routes, 't/1', [77])).toEqual([now]);
    // Given to another filter meanwhile: the number is known, and still not meant.
    expect(find(routes, 't/1', [2])).toEqual([now]);
    expect(find(routes, 'nobody', [2])).toEqual([]);
  });

  it('know every subscription', () => {
    const routes = new Routes();
    const [first, second] = [subscriptionOf('a', 'b'), subscriptionOf('b')];
    routes.add(first, 1);
    routes.add(second, 2);
    expect([...routes.all()]).toEqual([first, second]);
  });
});
