/**
 * Proves the tools that the other suites stand on: that every broker listens on every port it claims to, that the fault
 * proxy does each fault exactly, that the scripted server says what its script says, and that nothing is left behind.
 */
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { existsSync, readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  findMosquitto,
  PASSWORD,
  startAedes,
  startEveryBroker,
  startMosquitto,
  USERNAME,
  type RunningBroker,
} from '../support/brokers.ts';
import { PACKET_TYPE, PacketSplitter, packetType, startFaultProxy } from '../support/fault-proxy.ts';
import type { Direction, FaultProxy } from '../support/fault-proxy.ts';
import { bytesOfHex, ClientClosedError, startScriptedServer } from '../support/scripted-server.ts';
import { eventually, freePort, freePorts, withDeadline } from '../support/wait.ts';

/** CONNECT: version 4, clean session, keep alive 60, client id "a". */
const CONNECT = '10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 61';
const CONNACK = '20 02 00 00';
/** PUBLISH, QoS 2, topic "t", packet id 1, payload "x". */
const PUBLISH = '34 06 00 01 74 00 01 78';
const PUBREC = '50 02 00 01';
const PUBREL = '62 02 00 01';
const PINGREQ = 'c0 00';
const PINGRESP = 'd0 00';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** A raw client: what it received, and how it ended. */
class RawClient {
  readonly socket: Socket;
  received = '';
  ended: 'no' | 'in order' | 'reset' = 'no';

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (chunk) => (this.received += chunk.toString('hex')));
    this.socket.on('end', () => (this.ended = 'in order'));
    this.socket.on('error', () => (this.ended = 'reset'));
    undo.push(() => this.socket.destroy());
  }

  send(hex: string): void {
    this.socket.write(bytesOfHex(hex));
  }

  /** Waits until exactly these bytes have come since the start. */
  async has(...hex: string[]): Promise<void> {
    const wanted = hex.join('').replace(/\s/g, '');
    await eventually(() => this.received.length >= wanted.length, { what: `bytes ${wanted}` });
    expect(this.received).toBe(wanted);
  }
}

async function client(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const connected = await connectAsync(url, {
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 3000,
    ...options,
  });
  connected.on('error', () => {});
  undo.push(() => connected.endAsync(true));
  return connected;
}

/** Publishes with QoS 1 to itself and waits for the message. */
async function roundTrip(mqtt: MqttClient): Promise<void> {
  const message = new Promise<string>((resolve) => {
    mqtt.once('message', (topic, payload) => resolve(`${topic} ${payload.toString()}`));
  });
  await mqtt.subscribeAsync('harness/t', { qos: 1 });
  await mqtt.publishAsync('harness/t', 'x', { qos: 1 });
  expect(await withDeadline(message, 3000, 'the message')).toBe('harness/t x');
}

describe('every broker', { timeout: 20000 }, () => {
  let brokers: RunningBroker[] = [];
  beforeAll(async () => {
    brokers = await startEveryBroker();
  }, 20000);
  afterAll(async () => {
    const files = brokers.map((broker) => broker.caFile);
    await Promise.all(brokers.map((broker) => broker.stop()));
    for (const broker of brokers) await broker.stop();
    expect(files.filter((file) => existsSync(file))).toEqual([]);
    for (const { tcpPort } of brokers) await expect(client(`mqtt://127.0.0.1:${tcpPort}`)).rejects.toThrow();
  });

  const names = ['aedes', 'motemq', ...(findMosquitto() === undefined ? [] : ['mosquitto'])];
  describe.each(names)('%s', (name) => {
    let broker: RunningBroker;
    let tls: IClientOptions;
    beforeAll(() => {
      const found = brokers.find((candidate) => candidate.name === name);
      if (found === undefined) throw new Error(`${name} was not started`);
      broker = found;
      tls = { ca: readFileSync(broker.caFile) };
    });

    it('has a version', () => {
      expect(broker.version).toMatch(/^\d+\.\d+\.\d+/);
    });

    it('speaks the protocols it says, over TCP', async () => {
      const url = `mqtt://${broker.host}:${broker.tcpPort}`;
      await roundTrip(await client(url));
      if (broker.protocols.includes('5.0')) await roundTrip(await client(url, { protocolVersion: 5 }));
      else await expect(client(url, { protocolVersion: 5 })).rejects.toThrow();
    });

    it('listens for TLS with a certificate for 127.0.0.1 and localhost', async () => {
      await roundTrip(await client(`mqtts://127.0.0.1:${broker.tlsPort}`, tls));
      await roundTrip(
        await client(`mqtts://127.0.0.1:${broker.tlsPort}`, { ...tls, servername: 'localhost' }),
      );
      await expect(client(`mqtts://127.0.0.1:${broker.tlsPort}`)).rejects.toThrow(/certificate/);
    });

    it('wants a certificate of the client where it says so', async () => {
      const url = `mqtts://127.0.0.1:${broker.mutualTlsPort}`;
      const cert = readFileSync(broker.clientCertificateFile);
      const key = readFileSync(broker.clientKeyFile);
      await roundTrip(await client(url, { ...tls, cert, key }));
      await expect(client(url, tls)).rejects.toThrow();
    });

    it('listens for WebSockets, with and without TLS', async () => {
      await roundTrip(await client(`ws://127.0.0.1:${broker.wsPort}/mqtt`));
      await roundTrip(await client(`wss://127.0.0.1:${broker.wssPort}/mqtt`, { wsOptions: tls }));
    });

    it('lets in only who knows the password', async () => {
      const url = `mqtt://127.0.0.1:${broker.passwordPort}`;
      await roundTrip(await client(url, { username: USERNAME, password: PASSWORD }));
      const refused = /not authorized|bad user/i;
      await expect(client(url, { username: USERNAME, password: 'guess' })).rejects.toThrow(refused);
      await expect(client(url)).rejects.toThrow(refused);
    });

    it('restarts on the same ports while clients are connected', async () => {
      const lost = await client(`mqtt://127.0.0.1:${broker.tcpPort}`);
      const lostToo = await client(`ws://127.0.0.1:${broker.wsPort}`);
      await broker.restart();
      await eventually(() => !lost.connected && !lostToo.connected, { what: 'the clients to notice' });
      await roundTrip(await client(`mqtt://127.0.0.1:${broker.tcpPort}`));
      await roundTrip(await client(`ws://127.0.0.1:${broker.wsPort}`));
    });
  });
});

describe.skipIf(findMosquitto() === undefined)('Mosquitto, configured', { timeout: 20000 }, () => {
  it('announces the limits it is given and keeps sessions over a restart', async () => {
    const broker = await startMosquitto({
      maxTopicAlias: 7,
      maxPacketSize: 2000,
      receiveMaximum: 3,
      maxKeepAliveSeconds: 30,
      persistence: true,
      extraLines: ['max_queued_bytes 100000'],
      extraListenerLines: ['max_qos 1'],
    });
    undo.push(() => broker.stop());
    const url = `mqtt://127.0.0.1:${broker.tcpPort}`;
    const session: IClientOptions = {
      protocolVersion: 5,
      clientId: 'kept',
      clean: false,
      keepalive: 60,
      properties: { sessionExpiryInterval: 600 },
    };
    const proxy = await startFaultProxy({ targetPort: broker.tcpPort });
    undo.push(() => proxy.close());
    const first = await client(`mqtt://127.0.0.1:${proxy.port}`, session);
    const connack = Buffer.from(proxy.recorded.toClient[0].bytes).toString('hex');
    for (const property of ['220007', '27000007d0', '210003', '13001e', '2401']) {
      expect(connack).toContain(property);
    }
    await first.subscribeAsync('kept/t', { qos: 1 });
    await first.endAsync();
    await broker.restart();
    await (await client(url)).publishAsync('kept/t', 'x', { qos: 1 });
    await client(`mqtt://127.0.0.1:${proxy.port}`, session);
    const isKept = () =>
      proxy.recorded.toClient.some(({ bytes }) => packetType(bytes) === PACKET_TYPE.PUBLISH);
    await eventually(isKept, { what: 'the message for the session kept over the restart' });
  });

  it('says why it did not start, and leaves nothing', async () => {
    await expect(startMosquitto({ extraLines: ['no_such_setting 1'] })).rejects.toThrow(/no_such_setting/);
    await expect(startMosquitto({ program: '/no/such/program' })).rejects.toThrow(/ENOENT/);
  });
});

describe('the fault proxy', () => {
  /** A server that answers a script's packets, and a proxy before it. */
  async function proxied(options: { oneByteAtATime?: boolean; opaque?: boolean } = {}) {
    const server = await startScriptedServer(async (connection) => {
      for (;;) {
        const type = packetType(await connection.nextPacket());
        if (type === PACKET_TYPE.CONNECT) await connection.send(CONNACK);
        if (type === PACKET_TYPE.PUBLISH) await connection.send(PUBREC);
        if (type === PACKET_TYPE.PINGREQ) await connection.send(PINGRESP);
      }
    });
    undo.push(() => server.close());
    const proxy = await startFaultProxy({ targetPort: server.port, ...options });
    undo.push(() => proxy.close());
    return { server, proxy };
  }

  const hexOf = (proxy: FaultProxy, direction: Direction) =>
    proxy.recorded[direction].map(({ bytes }) => Buffer.from(bytes).toString('hex'));
  const plain = (hex: string) => hex.replace(/\s/g, '');

  it('forwards and records whole packets with their connection, however they arrive', async () => {
    const { proxy, server } = await proxied();
    const first = new RawClient(proxy.port);
    first.send(CONNECT.slice(0, 9));
    first.send(CONNECT.slice(9) + PINGREQ);
    await first.has(CONNACK, PINGRESP);
    const second = new RawClient(proxy.port);
    second.send(CONNECT);
    await second.has(CONNACK);
    expect(hexOf(proxy, 'toServer')).toEqual([CONNECT, PINGREQ, CONNECT].map(plain));
    expect(hexOf(proxy, 'toClient')).toEqual([CONNACK, PINGRESP, CONNACK].map(plain));
    expect(proxy.recorded.toServer.map(({ connection }) => connection)).toEqual([0, 0, 1]);
    expect([proxy.connectionCount(), proxy.openCount()]).toEqual([2, 2]);
    first.socket.end();
    await eventually(() => first.ended === 'in order' && proxy.openCount() === 1, { what: 'the end' });
    await server.connections[0].closed;
  });

  it('delivers one byte at a time', async () => {
    const { proxy, server } = await proxied({ oneByteAtATime: true });
    const raw = new RawClient(proxy.port);
    const sizes: number[] = [];
    raw.socket.on('data', (chunk) => sizes.push(chunk.length));
    raw.send(CONNECT + PINGREQ);
    await raw.has(CONNACK, PINGRESP);
    expect(sizes).toEqual([1, 1, 1, 1, 1, 1]);
    expect(server.connections[0].received.length).toBe(2);
  });

  it('cuts everything, once and every few milliseconds', async () => {
    const { proxy } = await proxied();
    const raw = new RawClient(proxy.port);
    raw.send(CONNECT);
    await raw.has(CONNACK);
    expect(proxy.cutAll()).toBe(1);
    await eventually(() => raw.ended === 'reset', { what: 'the reset' });
    proxy.cutEveryMs(10);
    for (let i = 0; i < 3; i++) {
      const next = new RawClient(proxy.port);
      await eventually(() => next.ended === 'reset', { what: `reset ${i}` });
    }
    proxy.cutEveryMs(0);
    expect(proxy.openCount()).toBe(0);
    const last = new RawClient(proxy.port);
    last.send(CONNECT);
    await last.has(CONNACK);
  });

  it('stalls with both sockets open, and hands everything over afterwards', async () => {
    const { proxy, server } = await proxied();
    const raw = new RawClient(proxy.port);
    raw.send(CONNECT);
    await raw.has(CONNACK);
    proxy.stall();
    raw.send(PINGREQ);
    const gone = new RawClient(proxy.port);
    gone.send(CONNECT);
    await eventually(() => proxy.connectionCount() === 2, { what: 'the second connection' });
    gone.socket.resetAndDestroy();
    await server.connections[0].send(PINGRESP);
    // Everything that could have come through has had a round trip's time to do so.
    const other = await proxied();
    const witness = new RawClient(other.proxy.port);
    witness.send(CONNECT);
    await witness.has(CONNACK);
    expect(server.connections[0].received.length).toBe(1);
    await raw.has(CONNACK);
    expect([raw.ended, proxy.openCount()]).toEqual(['no', 2]);
    proxy.resume();
    await raw.has(CONNACK, PINGRESP, PINGRESP);
    await eventually(() => proxy.openCount() === 1, { what: 'the news of the reset' });
  });

  it('refuses new connections while told to', async () => {
    const { proxy } = await proxied();
    const kept = new RawClient(proxy.port);
    kept.send(CONNECT);
    await kept.has(CONNACK);
    proxy.refuse(true);
    const refused = new RawClient(proxy.port);
    await eventually(() => refused.ended !== 'no', { what: 'the refusal' });
    proxy.refuse(false);
    kept.send(PINGREQ);
    await kept.has(CONNACK, PINGRESP);
    expect(proxy.connectionCount()).toBe(1);
  });

  it.each([
    ['cut', []],
    ['cutInside', ['50 02']],
    ['cutAfter', [PUBREC]],
  ] as const)('cuts on PUBREC: %s', async (when, seen) => {
    const { proxy, server } = await proxied();
    const cut = proxy.cutNext('toClient', 'PUBREC', when);
    const raw = new RawClient(proxy.port);
    raw.send(CONNECT + PUBLISH + PINGREQ);
    const { connection, bytes } = await withDeadline(cut, 3000, 'the cut');
    expect([connection, Buffer.from(bytes).toString('hex')]).toEqual([0, plain(PUBREC)]);
    await eventually(() => raw.ended !== 'no', { what: 'the end of the connection' });
    await raw.has(CONNACK, ...seen);
    await server.connections[0].closed;
    expect(proxy.recorded.toClient.map(({ verdict }) => verdict)).toEqual(['pass', when]);
    const again = new RawClient(proxy.port);
    again.send(CONNECT + PUBLISH);
    await again.has(CONNACK, PUBREC);
  });

  it('cuts on the way to the server, before and after the packet', async () => {
    const { proxy, server } = await proxied();
    for (const when of ['cut', 'cutAfter'] as const) {
      const cut = proxy.cutNext('toServer', 'PUBREL', when);
      const raw = new RawClient(proxy.port);
      raw.send(CONNECT + PUBREL);
      const { connection } = await withDeadline(cut, 3000, 'the cut');
      await eventually(() => raw.ended === 'reset', { what: 'the reset' });
      await server.connections[connection].closed;
      expect(server.connections[connection].received.length).toBe(when === 'cut' ? 1 : 2);
    }
  });

  it('drops one packet, and asks rules until they are removed', async () => {
    const { proxy } = await proxied();
    const raw = new RawClient(proxy.port);
    const dropped = proxy.dropNext('toServer', (bytes) => packetType(bytes) === PACKET_TYPE.PINGREQ);
    const seen: number[] = [];
    const remove = proxy.onPacket('toClient', (bytes) => {
      seen.push(packetType(bytes));
      return 'pass';
    });
    raw.send(CONNECT + PINGREQ + PINGREQ);
    await dropped;
    await raw.has(CONNACK, PINGRESP);
    remove();
    raw.send(PINGREQ);
    await raw.has(CONNACK, PINGRESP, PINGRESP);
    expect(seen).toEqual([PACKET_TYPE.CONNACK, PACKET_TYPE.PINGRESP]);
    expect(proxy.recorded.toServer.map(({ verdict }) => verdict)).toEqual(['pass', 'drop', 'pass', 'pass']);
  });

  it('reports what a rule threw when it closes', async () => {
    const proxy = await startFaultProxy({ targetPort: await freePort() });
    proxy.onPacket('toServer', () => {
      throw new Error('a failed expectation');
    });
    const raw = new RawClient(proxy.port);
    raw.send(PINGREQ);
    await eventually(() => raw.ended === 'reset', { what: 'the cut' });
    await expect(proxy.close()).rejects.toThrow('a failed expectation');
  });

  it('resets a client when the server is not there', async () => {
    const proxy = await startFaultProxy({ targetPort: await freePort() });
    undo.push(() => proxy.close());
    const raw = new RawClient(proxy.port);
    await eventually(() => raw.ended === 'reset' && proxy.openCount() === 0, { what: 'the reset' });
  });

  it('forwards what is no MQTT, in opaque mode without framing', async () => {
    const malformed = 'c0 ff ff ff ff 00 01';
    for (const opaque of [false, true]) {
      const { proxy, server } = await proxied({ opaque });
      const raw = new RawClient(proxy.port);
      raw.send(opaque ? CONNECT.slice(0, 9) : malformed);
      await eventually(() => proxy.recorded.toServer.length === 1, { what: 'the bytes' });
      expect(hexOf(proxy, 'toServer')).toEqual([plain(opaque ? CONNECT.slice(0, 9) : malformed)]);
      if (opaque) raw.send(CONNECT.slice(9));
      if (opaque) await raw.has(CONNACK);
      else await expect(server.close()).rejects.toThrow(/no MQTT packet/);
    }
  });

  it('lets a client lose and resume a QoS 2 exchange with a real broker', async () => {
    const broker = await startAedes();
    undo.push(() => broker.stop());
    const proxy = await startFaultProxy({ targetPort: broker.tcpPort });
    undo.push(() => proxy.close());
    const mqtt = await client(`mqtt://127.0.0.1:${proxy.port}`, {
      reconnectPeriod: 5,
      clean: false,
      clientId: 'q',
    });
    const cut = proxy.cutNext('toClient', 'PUBREC', 'cut');
    await withDeadline(mqtt.publishAsync('t', 'x', { qos: 2 }), 3000, 'the publish to complete');
    await cut;
    expect(proxy.connectionCount()).toBe(2);
    const types = proxy.recorded.toServer.map(({ bytes, connection }) => [connection, packetType(bytes)]);
    expect(types).toContainEqual([0, PACKET_TYPE.PUBLISH]);
    expect(types).toContainEqual([1, PACKET_TYPE.PUBREL]);
  });
});

describe('the packet splitter', () => {
  it('finds packets at every split', () => {
    const long = new Uint8Array(3 + 200);
    long.set([0x30, 0xc8, 0x01]);
    const stream = Buffer.concat([bytesOfHex(CONNECT), long, bytesOfHex(PINGREQ)]);
    for (let split = 0; split <= stream.length; split++) {
      const splitter = new PacketSplitter();
      const packets = [...splitter.push(stream.subarray(0, split)), ...splitter.push(stream.subarray(split))];
      expect(packets.map((packet) => packet.length)).toEqual([15, 203, 2]);
      expect(splitter.rest.length).toBe(0);
    }
  });
});

describe('the scripted server', () => {
  it('runs the script for each connection', async () => {
    const server = await startScriptedServer(async (connection) => {
      expect(packetType(await connection.nextPacket())).toBe(PACKET_TYPE.CONNECT);
      if (connection.index === 0) await connection.sendByteByByte(CONNACK);
      else await connection.send(bytesOfHex(CONNACK));
      await connection.nextPacket();
      if (connection.index === 0) connection.end();
      else connection.reset();
    });
    undo.push(() => server.close());
    for (const ended of ['in order', 'reset'] as const) {
      const raw = new RawClient(server.port);
      raw.send(CONNECT);
      await raw.has(CONNACK);
      raw.send(PINGREQ);
      await eventually(() => raw.ended === ended, { what: ended });
    }
    await server.connections[1].closed;
    expect(server.connections.map(({ received }) => received.length)).toEqual([2, 2]);
  });

  it('tells a script that the client closed, after what it sent', async () => {
    let rejection: unknown;
    const server = await startScriptedServer(async (connection) => {
      await connection.nextPacket();
      rejection = await connection.nextPacket().catch((error: unknown) => error);
      await connection.nextPacket(); // not caught: that is not a failure of the script
    });
    const raw = new RawClient(server.port);
    raw.socket.end(bytesOfHex(PINGREQ));
    await eventually(() => rejection instanceof ClientClosedError, { what: 'the rejection' });
    await server.close();
  });

  it('reports the error of a script when it closes', async () => {
    const server = await startScriptedServer((connection) => connection.send('2'));
    const raw = new RawClient(server.port);
    await eventually(() => raw.ended === 'reset', { what: 'the reset' });
    await expect(server.close()).rejects.toThrow('not whole bytes in hexadecimal: 2');
  });
});

describe('waiting', () => {
  it('names what was waited for, and why not', async () => {
    const never = { withinMs: 20, what: 'the impossible' };
    await expect(eventually(() => false, never)).rejects.toThrow('waited 20 ms for the impossible');
    await expect(eventually(() => new Promise(() => {}), never)).rejects.toThrow('the impossible');
    const cause = new Error('not yet');
    const throwing = () => {
      throw cause;
    };
    await expect(eventually(throwing, never)).rejects.toMatchObject({ cause });
    await expect(withDeadline(new Promise(() => {}), 10, 'Godot')).rejects.toThrow('waited 10 ms for Godot');
    expect(await withDeadline(Promise.resolve(1), 10, 'one')).toBe(1);
    let count = 0;
    expect(await eventually(() => (++count > 3 ? count : 0), { what: 'four' })).toBe(4);
  });

  it('finds ports that can be listened on', async () => {
    const ports = await freePorts(5);
    expect(new Set(ports).size).toBe(5);
    const server = createServer();
    undo.push(() => new Promise((resolve) => server.close(resolve)));
    await new Promise<void>((resolve) => server.listen(ports[0], '127.0.0.1', resolve));
  });
});
