/**
 * Publishing in pieces, any sizes, splits and drains: what leaves decodes to exactly the packets that were meant, byte for
 * byte. Connections hold here; what faults do to it is in random.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/packets/inspect.ts';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { Random, SEED } from '../seed.ts';
import { SessionDriver, bytesOf } from '../support/session-driver.ts';
import { begin, give, giveAll } from './pieces.ts';

const TOPICS = ['a', 'b/b', 'c/c/c'];

/** A message as it was meant. */
interface Intended {
  qos: number;
  topic: string;
  payload: Uint8Array;
}

class Round {
  readonly driver: SessionDriver;
  readonly intended: Intended[] = [];
  private readonly random: Random;
  private open: Intended | undefined;

  constructor(protocolVersion: number, seed: number) {
    this.random = new Random(seed);
    this.driver = new SessionDriver({
      protocolVersion,
      transmitBytes: 64 + this.random.below(100),
      outboxBytes: 200 + this.random.below(1000),
    }).connected();
  }

  step(): void {
    const { driver, random } = this;
    const what = random.below(6);
    if (what === 0 && this.open === undefined) {
      const message = this.make();
      if (begin(driver, message.payload.length, message.qos, message.topic) < 0) return;
      this.intended.push(message);
      this.open = message;
    } else if (what === 1) {
      const { qos, topic, payload } = this.make();
      const { session, nowMs } = driver;
      const result = session.publishTo(bytesOf(topic), payload, payload.length, qos, 0, null, nowMs);
      if (result >= 0) this.intended.push({ qos, topic, payload });
    } else if (what === 2) driver.drain(random.pick([1, 5, 40, 1000]));
    else if (what === 3) driver.server({ type: 'PUBLISH', topicName: 'in', payload: '' });
    else if (this.open !== undefined) {
      const { payload } = this.open;
      const at = payload.length - driver.session.unsentPayloadByteLength();
      give(driver, payload, at, Math.min(payload.length, at + random.below(80)));
    }
    if (driver.session.unsentPayloadByteLength() === 0) this.open = undefined;
  }

  private make(): Intended {
    const { random } = this;
    const byteLength = random.below(random.pick([5, 100, 600]));
    return {
      qos: random.below(3),
      topic: random.pick(TOPICS),
      payload: Uint8Array.from({ length: byteLength }, () => random.below(256)),
    };
  }

  finish(): void {
    this.driver.drain();
    if (this.open !== undefined) giveAll(this.driver, this.open.payload);
  }
}

/** What makes a message the one that was meant. */
function textOf({ qos, topic, payload }: Intended): string {
  return `${qos} ${topic} ${toHex(payload)}`;
}

describe('any sizes, splits and drains (seed from MOTEMQ_SEED)', () => {
  it.each([V5, V3_1_1])('version %i: what leaves is exactly what was meant', (protocolVersion) => {
    let inPieces = 0;
    for (let round = 0; round < 120; round++) {
      const seed = SEED + round;
      const one = new Round(protocolVersion, seed);
      const { driver, intended } = one;
      const sent: Intended[] = [];
      const wire: string[] = [];
      const expected: string[] = [];
      const { transmit } = driver.session;
      const consume = transmit.consume.bind(transmit);
      transmit.consume = (count) => {
        wire.push(toHex(transmit.bytes.subarray(transmit.start, transmit.start + count)));
        consume(count);
      };
      driver.onPacket = (packet) => {
        // As the codec makes it of one piece.
        expected.push(toHex(driver.encode(packet)));
        if (packet.type !== 'PUBLISH') return;
        const payload = Uint8Array.from(Buffer.from(packet.payload ?? '', 'hex'));
        sent.push({ qos: packet.qos!, topic: packet.topicName ?? '', payload });
        if (payload.length > transmit.bytes.length) inPieces++;
      };
      const answer = (): void => {
        for (const packet of driver.sent()) {
          if (packet.type === 'PUBLISH' && packet.qos === 1) driver.ack('PUBACK', packet.packetId!);
          if (packet.type === 'PUBLISH' && packet.qos === 2) driver.ack('PUBREC', packet.packetId!);
          if (packet.type === 'PUBREL') driver.ack('PUBCOMP', packet.packetId);
        }
      };
      for (let step = 0; step < 150; step++) {
        one.step();
        answer();
      }
      one.finish();
      while (driver.session.isBusy()) answer();
      // QoS 0 may overtake QoS 1 and 2, which wait for slots; each by itself is in order [MQTT-4.6.0-1].
      for (const isZero of [true, false]) {
        const own = (message: Intended): boolean => (message.qos === 0) === isZero;
        expect(sent.filter(own).map(textOf), `seed ${seed}`).toEqual(intended.filter(own).map(textOf));
      }
      expect(wire.join(''), `seed ${seed}`).toBe(expected.join(''));
      driver.events();
    }
    expect(inPieces).toBeGreaterThan(500);
  });
});
