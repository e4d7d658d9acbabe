/**
 * What is asked of a world at its end, when everything is over: the broker dies once more and has to know what it retained;
 * and who has unsubscribed is sent nothing. Knows the broker only by what the collector is sent.
 */
import { STATE_FILTER } from './plans.ts';
import type { RetainedChecker } from './retained-checker.ts';
import type { SimDevice } from './sim-device.ts';

/** What it needs of the world. */
export interface AuditSurroundings {
  readonly collector: SimDevice;
  readonly devices: readonly SimDevice[];
  readonly retained: RetainedChecker;
  /** The broker dies, and is there again soon. */
  crash: () => void;
  /** Lets time pass until `isDone`, or for a long time. */
  waitFor: (isDone: () => boolean) => Promise<void>;
  report: (rule: string, text: string) => void;
}

export async function runAudit(surroundings: AuditSurroundings): Promise<void> {
  const { collector, devices, crash, waitFor } = surroundings;
  const areSettled = (): boolean => [collector, ...devices].every((device) => device.isSettled());
  await checkRetained(surroundings);
  crash();
  await waitFor(areSettled);
  await checkRetained(surroundings);
  await request(surroundings, 'unsubscribe');
  const entries = devices.map((device) => device.client && device.publishState(device.client));
  for (const entry of entries) if (entry !== null) entry.isExcused = true;
  await waitFor(areSettled);
  await waitFor(() => false);
  for (const entry of entries) {
    if (entry === null || entry.arrivals === 0) continue;
    const text = `${entry.publisher}.${entry.number} arrived behind UNSUBACK [MQTT-3.10.4-2]`;
    surroundings.report('unsubscribed', text);
  }
}

/** Subscribes anew: the broker has to send what it retained. */
async function checkRetained(surroundings: AuditSurroundings): Promise<void> {
  const { retained, waitFor } = surroundings;
  await request(surroundings, 'unsubscribe');
  retained.begin();
  await request(surroundings, 'subscribe');
  // What it has to send is behind the acknowledgement.
  await waitFor(() => false);
  retained.check();
}

async function request(
  { collector, waitFor }: AuditSurroundings,
  verb: 'subscribe' | 'unsubscribe',
): Promise<void> {
  let isDone = false;
  collector.request(verb, STATE_FILTER, () => (isDone = true));
  await waitFor(() => isDone);
}
