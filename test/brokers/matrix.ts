/**
 * The brokers and protocols that every test here runs on, and the ground it stands on: a broker, clients and proxies
 * that are gone after the test, topics and client identifiers that no other test uses. Knows nothing of what is tested.
 */
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { connect, createClient } from '../../targets/node/index.ts';
import type { Client, ConnectOptions, Message, SubscribeOptions } from '../../targets/node/index.ts';
import { findMosquitto, startEveryBroker } from '../support/brokers.ts';
import type { EveryStartOptions, RunningBroker } from '../support/brokers.ts';
import { PACKET_TYPE, packetType, startFaultProxy } from '../support/fault-proxy.ts';
import type { Direction, FaultProxy, FaultProxyOptions, PacketTypeName } from '../support/fault-proxy.ts';
import { eventually } from '../support/wait.ts';

export type Protocol = '5.0' | '3.1.1';

/** Reconnects so soon that no test has to wait for it. */
export const SOON = { firstMs: 2, maximumMs: 50 };

/** What a test has to work with. */
export class Ground {
  readonly protocol: Protocol;
  readonly brokerName: RunningBroker['name'];
  private readonly undo: (() => unknown)[] = [];
  private running: RunningBroker | undefined;

  constructor(brokerName: RunningBroker['name'], protocol: Protocol) {
    this.brokerName = brokerName;
    this.protocol = protocol;
  }

  get isV5(): boolean {
    return this.protocol === '5.0';
  }

  get isMosquitto(): boolean {
    return this.brokerName === 'mosquitto';
  }

  get isAedes(): boolean {
    return this.brokerName === 'aedes';
  }

  get broker(): RunningBroker {
    if (this.running === undefined) throw new Error(`${this.brokerName} was not started`);
    return this.running;
  }

  set broker(broker: RunningBroker) {
    this.running = broker;
  }

  /** Has `step` called after the test, the last one first. */
  after(step: () => unknown): void {
    this.undo.push(step);
  }

  async cleanUp(): Promise<void> {
    for (const step of this.undo.splice(0).reverse()) await step();
  }

  /** A client that is destroyed after the test; to the broker's TCP port unless `port` says otherwise. */
  async connect(options: ConnectOptions = {}, port = this.broker.tcpPort): Promise<Client> {
    return this.connectTo(`mqtt://127.0.0.1:${port}`, options);
  }

  async connectTo(url: string, options: ConnectOptions = {}): Promise<Client> {
    const client = await connect(url, this.options(options));
    this.after(() => client.destroy());
    return client;
  }

  /** Likewise, not waiting for the connection. */
  create(options: ConnectOptions = {}, port = this.broker.tcpPort): Client {
    const client = createClient(`mqtt://127.0.0.1:${port}`, this.options(options));
    this.after(() => client.destroy());
    return client;
  }

  private options(options: ConnectOptions): ConnectOptions {
    return { protocol: this.protocol, reconnect: SOON, ...options };
  }

  /** Options for a session that outlives its connections, with an identifier of its own. */
  lasting(clientId = freshName('client')): ConnectOptions {
    const kept: ConnectOptions = { clientId, cleanStart: false };
    return this.isV5 ? { ...kept, sessionExpirySeconds: 600 } : kept;
  }

  /** A proxy in front of the broker's TCP port. */
  async proxy(options: Partial<FaultProxyOptions> = {}): Promise<FaultProxy> {
    const proxy = await startFaultProxy({ targetPort: this.broker.tcpPort, ...options });
    this.after(() => proxy.close());
    return proxy;
  }
}

let names = 0;

/** A name that nothing in this process had before, and hardly anything in another. */
export function freshName(what: string): string {
  return `${what}-${process.pid.toString(36)}-${(++names).toString(36)}`;
}

/** Which of the matrix a test needs: all of it, unless told. */
export interface Needs {
  readonly protocol?: Protocol;
  readonly brokers?: readonly RunningBroker['name'][];
}

/**
 * Describes `title` once for each broker that is found and each protocol it speaks. The brokers are started before the
 * first test; a line each says which were found, and in CI one that is missing fails.
 */
export function describeEveryBroker(
  title: string,
  starts: EveryStartOptions,
  define: (ground: Ground) => void,
  needs: Needs = {},
): void {
  describe(title, () => {
    let brokers: RunningBroker[] = [];
    beforeAll(async () => {
      brokers = await startEveryBroker(starts);
    });
    afterAll(() => Promise.all(brokers.map((broker) => broker.stop())));

    const mosquitto: [RunningBroker['name'], Protocol][] =
      findMosquitto() === undefined
        ? []
        : [
            ['mosquitto', '5.0'],
            ['mosquitto', '3.1.1'],
          ];
    const all: [RunningBroker['name'], Protocol][] = [
      ...mosquitto,
      ['aedes', '3.1.1'],
      ['motemq', '5.0'],
      ['motemq', '3.1.1'],
    ];
    const wanted = all.filter(
      ([name, protocol]) =>
        (needs.brokers ?? [name]).includes(name) && protocol === (needs.protocol ?? protocol),
    );
    describe.each(wanted)('%s, MQTT %s', (name, protocol) => {
      const ground = new Ground(name, protocol);
      beforeAll(() => {
        const found = brokers.find((broker) => broker.name === name);
        if (found !== undefined) ground.broker = found;
      });
      afterEach(() => ground.cleanUp());
      define(ground);
    });
    // A machine without Mosquitto must not take an empty matrix for a mistake.
    if (wanted.length === 0) describe.skipIf(true)('nothing to test against', () => {});
  });
}

/** Subscribes with a listener; the messages come into the array that is returned. */
export async function collect(
  client: Client,
  topicFilter: string | readonly string[],
  options: SubscribeOptions = {},
): Promise<Message[]> {
  const messages: Message[] = [];
  await client.subscribe(topicFilter, options, (message) => messages.push(message));
  return messages;
}

/** Waits until `messages` has `count` of them or more. */
export async function untilCount(messages: Message[], count: number, withinMs = 10_000): Promise<void> {
  await eventually(() => messages.length >= count, { what: `${count} messages`, withinMs });
}

export function textsOf(messages: readonly Message[]): string[] {
  return messages.map((message) => message.text());
}

/** The packets of a type that passed a proxy in a direction, on one connection or on all. */
export function packetsOf(
  proxy: FaultProxy,
  direction: Direction,
  type: PacketTypeName,
  connection?: number,
): Uint8Array[] {
  return proxy.recorded[direction]
    .filter((packet) => connection === undefined || packet.connection === connection)
    .map(({ bytes }) => bytes)
    .filter((bytes) => packetType(bytes) === PACKET_TYPE[type]);
}
