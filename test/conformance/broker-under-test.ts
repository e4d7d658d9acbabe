/**
 * The broker that the tests of a conformance file talk to: ours, started in this process with the options a describe
 * names, or the one that the environment variable MOTEMQ_BROKER names (mqtt://host:port), which gets every test that
 * needs no options. Knows nothing of packets.
 */
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import type { Broker } from '../../sim/broker/broker.ts';
import type { BrokerOptions } from '../../sim/broker/options.ts';
import { destroyEveryPeer, type BrokerAddress } from './peer.ts';

/** The broker that the tests of a describe talk to. Its fields are valid while tests run. */
export interface BrokerUnderTest extends BrokerAddress {
  /** The running broker itself, for faults and inspection; null when it is not ours. */
  readonly broker: Broker | null;
}

type Body = (broker: BrokerUnderTest) => void;

const FOREIGN_URL = process.env['MOTEMQ_BROKER'];

/** What a describe has from its beginning; beforeAll fills it in. */
class Target implements BrokerUnderTest {
  host = '';
  port = 0;
  isOurs = true;
  broker: Broker | null = null;
}

/** A describe whose tests any broker can be asked: MOTEMQ_BROKER's if it is set, else ours with default options. */
export function describeBroker(title: string, body: Body): void {
  if (FOREIGN_URL === undefined) {
    describeWith({}, title, body);
    return;
  }
  const { hostname, port } = new URL(FOREIGN_URL);
  const target = new Target();
  target.host = hostname;
  target.port = Number(port || 1883);
  target.isOurs = false;
  describe(title, () => {
    afterEach(destroyEveryPeer);
    body(target);
  });
}

/** A describe whose tests need a broker with these options. A foreign broker is not asked; the output says so. */
export function describeWith(options: BrokerOptions, title: string, body: Body): void {
  if (FOREIGN_URL !== undefined) {
    process.stderr.write(`[conformance] not asked of a foreign broker: ${title}\n`);
    describe(title, () => {
      it.todo('is not asked of a foreign broker');
    });
    return;
  }
  const target = new Target();
  describe(title, () => {
    beforeAll(async () => {
      // Loaded late, so that a foreign broker can be asked without ours.
      const { Broker } = await import('../../sim/broker/broker.ts');
      target.broker = await Broker.start(options);
      target.host = '127.0.0.1';
      target.port = target.broker.tcpPort!;
    });
    afterEach(destroyEveryPeer);
    afterAll(async () => {
      await target.broker?.stop();
    });
    body(target);
  });
}
