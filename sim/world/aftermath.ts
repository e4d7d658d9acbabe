/**
 * What must be over when a world has been well for long enough: nothing under way at either end, nothing kept that nobody
 * will ask for, and each side of every connection knowing of the other. Looks; changes nothing.
 */
import type { AnswerChecker } from './answer-checker.ts';
import type { SessionRest } from './broker-process.ts';
import type { ServerChecker } from './server-checker.ts';
import type { SimDevice } from './sim-device.ts';
import type { StoreWatch } from './store-watch.ts';

/** A device with who watches it. */
export interface WatchedDevice {
  readonly device: SimDevice;
  readonly answers: AnswerChecker;
  readonly kept: StoreWatch;
}

/** A rule, and how it is broken. */
export type Finding = readonly [rule: string, text: string];

/** What is not over with a device, or null. `view` is what the broker has of it. */
export function findRest(
  { device, answers, kept }: WatchedDevice,
  view: SessionRest | undefined,
  server: ServerChecker,
): Finding | null {
  const { clientId, topicFilters } = device.plan;
  if (!device.isSettled()) return ['stuck', `${clientId} is not done long after all was well`];
  if (view?.isConnected !== true)
    return ['half-open', `${clientId} is connected, and the broker knows nothing of it`];
  const held = view.subscriptions.map(({ topicFilter }) => topicFilter);
  const missing = topicFilters.find((topicFilter) => !held.includes(topicFilter));
  if (missing !== undefined)
    return ['subscription', `the broker has no subscription of ${clientId} to ${missing}`];
  const rest = answers.describeRest() ?? server.describeRest(clientId);
  if (rest !== null) return ['unfinished', rest];
  const { inflight, queuedMessages, queuedBytes } = view;
  if (inflight + queuedMessages > 0) {
    return ['unfinished', `the broker has ${inflight + queuedMessages} messages for ${clientId}`];
  }
  if (queuedBytes !== 0)
    return ['memory', `the broker reckons ${queuedBytes} bytes for ${clientId}, of no message`];
  const waiting = device.receivedIds().filter((packetId) => !kept.isStale(packetId)).length;
  if (waiting > 0) return ['memory', `${clientId} holds ${waiting} received packet identifiers`];
  const { restCount } = kept;
  if (restCount > 0) return ['store-leak', `the store of ${clientId} holds ${restCount} records of nothing`];
  return null;
}
