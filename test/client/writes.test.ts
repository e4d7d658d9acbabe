/**
 * How often a client writes: whatever one turn of the event loop brings leaves together. Writes are counted on a
 * transport that takes everything at once.
 */
import { describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.ts';
import type { ClientOptions } from '../../src/client/options.ts';
import type { ClientTransport, Deferred, Platform, TransportReceiver } from '../../src/client/platform.ts';
import { TopicNames } from '../../src/client/topic-names.ts';
import { encodeObject } from '../../src/packets/inspect.ts';
import type { PacketObject } from '../../src/packets/inspect.ts';
import { Packet } from '../../src/packets/packet.ts';
import { SessionEvent } from '../../src/session/event.ts';
import type { Ring } from '../../src/wire/ring.ts';

/** A platform without time, whose turns end when the test says so. */
class Stage implements Platform {
  readonly packet = new Packet();
  readonly event = new SessionEvent(this.packet);
  readonly topicNames = new TopicNames();
  readonly rings: Uint8Array[] = [];
  isPolling = false;
  /** Lengths of the writes since `turn` was called last. */
  writes: number[] = [];
  private deferred: Deferred[] = [];
  private receiver: TransportReceiver | undefined;

  nowMs = (): number => 1;
  setTimer = (): unknown => 0;
  clearTimer = (): void => undefined;
  random = (): number => 0;

  defer(deferred: Deferred): void {
    this.deferred.push(deferred);
  }

  createTransport(receiver: TransportReceiver): ClientTransport {
    this.receiver = receiver;
    const transport = {
      bytesOut: 0,
      bytesIn: 0,
      open: (): void => undefined,
      close: (): void => undefined,
      pauseReading: (): void => undefined,
      resumeReading: (): void => undefined,
      write: (ring: Ring): void => {
        this.writes.push(ring.byteLength());
        transport.bytesOut += ring.byteLength();
        ring.clear();
      },
    };
    return transport;
  }

  open(): void {
    this.receiver?.handleOpened();
    this.writes = []; // CONNECT
    this.receive({ type: 'CONNACK', properties: { topicAliasMaximum: 1 } });
  }

  /** All packets in one read. */
  receive(...packets: PacketObject[]): void {
    const bytes = Buffer.concat(packets.map((packet) => encodeObject(packet, { protocolVersion: 5 })));
    this.receiver?.handleBytes(bytes, 0, bytes.length);
  }

  /** Ends a turn of the event loop; returns the lengths of what was written since the last one. */
  turn(): number[] {
    for (const deferred of this.deferred.splice(0)) deferred.flush();
    return this.writes.splice(0);
  }
}

function stageFor(options: ClientOptions = {}): { stage: Stage; client: Client } {
  const stage = new Stage();
  return { stage, client: new Client(stage, { clientId: 'c', ...options }) };
}

const payload = new Uint8Array(40);

describe('in one turn of the event loop', () => {
  it.each([0, 1, 2] as const)('300 messages of QoS %i leave in one write', (qos) => {
    const { stage, client } = stageFor();
    stage.open();
    const topic = client.topic('t', { qos });
    for (let i = 0; i < 300; i++) topic.publish(payload);
    const writes = stage.turn();
    expect(writes).toHaveLength(1);
    expect(writes[0]).toBeGreaterThan(300 * 40);
  });

  it('200 messages of QoS 1 that come in one read are acknowledged in one write, but for the first such turn', () => {
    const { stage, client } = stageFor();
    stage.open();
    let heard = 0;
    client.on('message', () => heard++);
    const publishes = Array.from({ length: 200 }, (_, i) => {
      return { type: 'PUBLISH', topicName: 'a', qos: 1, packetId: i + 1, payload: '00' } as const;
    });
    stage.receive(...publishes);
    expect(stage.turn().length).toBeLessThan(4);
    stage.receive(...publishes);
    expect(stage.turn()).toEqual([200 * 4]);
    expect(heard).toBe(400);
  });

  it('what waited for a connection leaves in few writes, of the largest there are', () => {
    const { stage, client } = stageFor({ inflightMax: 2000 });
    const topic = client.topic('t', { qos: 1 });
    for (let i = 0; i < 2000; i++) topic.publish(payload);
    stage.turn();
    stage.open();
    for (const byteLength of stage.turn().slice(0, -1)) expect(byteLength).toBeGreaterThan(32_000);
  });
});

describe('a transmit ring', () => {
  it('is another client’s while nothing is in it', () => {
    const stage = new Stage();
    const client = new Client(stage, { clientId: 'c' });
    stage.open();
    expect(client.driver.session.transmit.bytes).toHaveLength(0);
    expect(stage.rings).toHaveLength(1);
    const [ring] = stage.rings;
    client.topic('t').publish(payload);
    expect(client.driver.session.transmit.bytes).toBe(ring);
    expect(stage.turn()).toHaveLength(1);
    expect(client.driver.session.transmit.bytes).toHaveLength(0);
    expect(stage.rings).toEqual([ring]);
  });

  it('is there for DISCONNECT', async () => {
    const { stage, client } = stageFor();
    stage.open();
    await client.disconnect();
    expect(stage.turn()).toEqual([2]);
  });

  it('of a size that was asked for stays', () => {
    const { stage, client } = stageFor({ transmitBytes: 512 + 64 });
    stage.open();
    expect(client.driver.session.transmit.bytes).toHaveLength(512 + 64);
    expect(stage.rings).toHaveLength(0);
  });
});
