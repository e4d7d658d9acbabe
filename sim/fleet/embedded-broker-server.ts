/**
 * Our broker on a free port, as a fleet wants it. Run as a process of its own it tells its parent the port and ends with
 * it; Ctrl-C, which a terminal sends to both, is the parent's to handle.
 */
import { Broker } from '../broker/broker.ts';
import type { Limits } from '../broker/limits.ts';

/** Room for the largest fleet, and for a collector that falls behind: what is dropped would be counted as lost. */
const LIMITS: Partial<Limits> = {
  connectionsMax: 200_000,
  sessionsMax: 200_000,
  retainedMessagesMax: 1_000_000,
  queuedMessagesMax: 1_000_000_000,
  queuedBytesMax: 1_000_000_000,
  queuedBytesTotalMax: 4_000_000_000,
};

export interface Listening {
  port: number;
  stop: () => Promise<void>;
}

/** Starts a broker in this process. */
export async function listen(): Promise<Listening> {
  const broker = await Broker.start({ limits: LIMITS });
  return {
    port: broker.tcpPort ?? 0,
    stop: () => broker.stop({ graceMs: 0 }),
  };
}

if (process.send !== undefined && process.argv[1]?.endsWith('embedded-broker-server.js')) {
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('disconnect', () => process.exit());
  const { port } = await listen();
  process.send({ port });
}
