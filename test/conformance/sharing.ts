/**
 * What tests of shared subscriptions share: their names, their members, and messages that are numbered, so that a test
 * sees which are missing and which came twice.
 */
import { expect } from 'vitest';
import type { BrokerUnderTest } from './broker-under-test.ts';
import { Peer } from './peer.ts';
import { textsOf } from './subscribing.ts';

/** A shared subscription to a filter. */
export function shareOf(topicFilter: string, shareName = 'g'): string {
  return `$share/${shareName}/${topicFilter}`;
}

/** `0`, `1`, … as texts. */
export function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index));
}

/** Connected clients, each a member of the shared subscription. */
export async function members(
  broker: BrokerUnderTest,
  count: number,
  filter: string,
  qos = 0,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (let at = 0; at < count; at++) {
    const peer = await Peer.connect(broker);
    expect((await peer.subscribe(filter, { qos })).reasonCodes).toEqual([qos]);
    peers.push(peer);
  }
  return peers;
}

/** The messages that came to each so far. */
export async function drainEach(peers: readonly Peer[]): Promise<string[][]> {
  const texts: string[][] = [];
  for (const peer of peers) texts.push(textsOf(await peer.drain()));
  return texts;
}

/** Texts in the order of their numbers. */
export function sorted(texts: readonly string[]): string[] {
  return [...texts].sort((a, b) => Number(a) - Number(b));
}
