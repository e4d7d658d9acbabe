/**
 * The Broker class: a core with listeners, clock, timers and files, as an application starts it.
 */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { formatUser } from '../../sim/broker/access/users-file.ts';
import { hashPassword } from '../../sim/broker/access/password-hash.ts';
import { AccessFileError, Broker, type BrokerOptions, type Hooks } from '../../sim/broker/index.ts';
import type { BrokerStore } from '../../sim/broker/store.ts';
import { encodeObject } from '../../src/packets/inspect.ts';
import { connect, type Client, type ConnectOptions } from '../../targets/node/index.ts';
import { makeCertificates, type CertificateFiles } from '../support/certificates.ts';
import { eventually, withDeadline } from '../support/wait.ts';

let folder = '';
let files: CertificateFiles;
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'motemq-broker-class-'));
  files = await makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function start(options: BrokerOptions = {}): Promise<Broker> {
  const broker = await Broker.start(options);
  undo.push(() => broker.stop({ graceMs: 0 }));
  return broker;
}

async function client(url: string, options: ConnectOptions = {}): Promise<Client> {
  const connected = await connect(url, { reconnect: false, ...options });
  undo.push(() => connected.destroy());
  return connected;
}

/** The error that a client's connection ends with. */
async function endOf(of: Client): Promise<unknown> {
  const ended = new Promise((resolve) => of.once('disconnect', ({ error }) => resolve(error)));
  return withDeadline(ended, 5000, 'the end of the connection');
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('listeners', () => {
  it('are one on a free port of this machine alone, unless told', async () => {
    const broker = await start();
    expect(broker.listeners).toEqual([
      { transport: 'tcp', scheme: 'mqtt', host: '127.0.0.1', port: broker.tcpPort },
    ]);
    expect(broker.url).toBe(`mqtt://127.0.0.1:${broker.tcpPort}`);
    expect([broker.tlsPort, broker.wsPort, broker.wssPort, broker.metricsUrl]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it.each(['5.0', '3.1.1'] as const)('take clients of MQTT %s over all four transports', async (protocol) => {
    const tls = { cert: files.certificateFile, key: files.keyFile };
    const broker = await start({ tlsPort: 0, wsPort: 0, wssPort: 0, tls });
    expect(broker.listeners.map(({ transport }) => transport)).toEqual(['tcp', 'tls', 'ws', 'wss']);
    const ca = readFileSync(files.caFile);
    const clients = [];
    for (const { scheme, port } of broker.listeners) {
      const options = scheme === 'mqtts' || scheme === 'wss' ? { tls: { ca } } : {};
      clients.push(await client(`${scheme}://127.0.0.1:${port}`, { protocol, ...options }));
    }
    expect(broker.clients().map(({ origin }) => origin.transport)).toEqual(['tcp', 'tls', 'ws', 'wss']);
    const heard: string[] = [];
    for (const one of clients) {
      await one.subscribe('a', { qos: 2 }, (message) => heard.push(message.text()));
    }
    for (const qos of [0, 1, 2] as const) {
      await clients[qos].publish('a', `QoS ${qos}`, { qos });
    }
    await eventually(() => heard.length === 12, { what: 'three messages to four' });
    expect(heard.sort()).toEqual([0, 1, 2].flatMap((qos) => Array<string>(4).fill(`QoS ${qos}`)));
  });

  it('may be none: a broker for this process', async () => {
    const broker = await start({ port: null });
    expect(broker.listeners).toEqual([]);
    expect(() => broker.url).toThrow('listens nowhere');
    const heard: string[] = [];
    broker.subscribe('a/+', (message) => heard.push(message.text()));
    expect(broker.publish('a/b', 'x')).toBe(0);
    expect(heard).toEqual(['x']);
  });

  it('that cannot be had are told, and nothing stays open', async () => {
    const { tcpPort } = await start();
    const metrics = await start({ metricsPort: 0 });
    const metricsPort = Number(new URL(metrics.metricsUrl ?? '').port);
    await expect(Broker.start({ port: tcpPort })).rejects.toThrow(
      `cannot listen on mqtt://127.0.0.1:${tcpPort}: the port is in use (EADDRINUSE)`,
    );
    const [{ port }] = (await start()).listeners;
    await undo.pop()?.();
    await expect(Broker.start({ port, metricsPort })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect((await start({ port })).tcpPort).toBe(port);
  });
});

describe('options', () => {
  it.each<[string, object, string]>([
    ['of another name', { prot: 1 }, 'prot: there is no such option'],
    ['a port that is text', { port: '1883' }, "port must be a port from 0 to 65535, or null, not '1883'"],
    ['a port that is too large', { wsPort: 65536 }, 'wsPort must be a port'],
    ['TLS without a certificate', { tlsPort: 0 }, 'tlsPort needs tls: cert and key'],
    ['a certificate without a key', { wssPort: 0, tls: { cert: 'a' } }, 'tls must have cert and key'],
    ['another name in tls', { tls: { cert: 'a', key: 'b', pass: 'c' } }, 'tls.pass: there is no such option'],
    [
      'a certificate required that nobody vouches for',
      { tls: { cert: 'a', key: 'b', requireClientCertificate: true } },
      'tls.requireClientCertificate needs tls.ca',
    ],
    ['nobody let in', { anonymous: false }, 'anonymous: false lets nobody in'],
    ['a limit that does not exist', { limits: { many: 1 } }, 'limits.many: there is no such limit'],
    ['a limit out of its range', { limits: { connectionsMax: 0 } }, 'limits.connectionsMax must be'],
    ['a QoS out of its range', { maximumQos: 3 }, 'maximumQos must be 0, 1 or 2'],
    ['a path that is none', { webSocketPath: 'mqtt' }, 'webSocketPath must be a path'],
    [
      'two who decide',
      { hooks: { authenticate: () => null }, anonymous: true },
      'hooks.authenticate, and users',
    ],
  ])('that are wrong are named: %s', async (_what, options, message) => {
    const starting = Broker.start(options);
    await expect(starting).rejects.toThrow(message);
    await expect(starting).rejects.toSatisfy(
      (error) => error instanceof TypeError || error instanceof RangeError,
    );
  });

  it('name files that cannot be read', async () => {
    const tls = { cert: join(folder, 'none.pem'), key: files.keyFile };
    await expect(Broker.start({ tlsPort: 0, tls })).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(Broker.start({ users: join(folder, 'none') })).rejects.toThrow('none');
  });
});

describe('this process', () => {
  it('publishes texts and bytes, with properties, to clients', async () => {
    const broker = await start();
    const subscriber = await client(broker.url);
    const heard: unknown[] = [];
    await subscriber.subscribe('a/#', { qos: 1 }, (message) => {
      heard.push([message.text(), message.qos, message.properties.contentType]);
    });
    expect(broker.publish('a/text', 'grün')).toBe(0);
    const properties = { contentType: 'text/plain' };
    expect(broker.publish('a/bytes', Buffer.from('x'), { qos: 1, retain: true, properties })).toBe(0);
    expect(broker.publish('nobody', 'x', { qos: 1 })).toBe(0x10);
    await eventually(() => heard.length === 2, { what: 'both messages' });
    expect(heard).toEqual([
      ['grün', 0, undefined],
      ['x', 1, 'text/plain'],
    ]);
    expect(broker.gauges()).toMatchObject({ connections: 1, subscriptions: 1 });
    expect(() => broker.publish('a/#', 'x')).toThrow();
  });

  it('subscribes until it has enough, and gets what is retained at once', async () => {
    const broker = await start();
    const publisher = await client(broker.url);
    await publisher.publish('a/b', 'kept', { qos: 1, retain: true });
    const heard: string[] = [];
    const unsubscribe = broker.subscribe('a/+', (message) => heard.push(message.text()));
    await publisher.publish('a/c', 'live', { qos: 1 });
    unsubscribe();
    await publisher.publish('a/c', 'late', { qos: 1 });
    expect(heard).toEqual(['kept', 'live']);
    expect(() => broker.subscribe('a/#/b', () => {})).toThrow(TypeError);
  });

  it('sees clients and sessions, and can end a connection', async () => {
    const broker = await start();
    const one = await client(broker.url, { clientId: 'one', sessionExpirySeconds: 60 });
    await one.subscribe('a', { qos: 1 }, () => {});
    expect(broker.client('one')).toMatchObject({ clientId: 'one', protocolVersion: 5, userName: null });
    expect(broker.client('two')).toBeUndefined();
    const ended = endOf(one);
    expect(broker.disconnect('one', 0x98)).toBe(true);
    expect(broker.disconnect('two', 0x98)).toBe(false);
    expect(await ended).toMatchObject({ reasonCode: 0x98 });
    await eventually(() => broker.clients().length === 0, { what: 'the end' });
    expect(broker.sessions()).toMatchObject([{ clientId: 'one', isConnected: false }]);
    expect(broker.counters).toMatchObject({ connectsAccepted: 1, disconnectsOther: 1 });
  });
});

describe('time', () => {
  it('ends a connection that says nothing', async () => {
    const broker = await start({ limits: { connectTimeoutMs: 30 } });
    const socket = connectSocket(broker.tcpPort ?? 0, '127.0.0.1');
    undo.push(() => socket.destroy());
    await withDeadline(once(socket.resume(), 'close'), 5000, 'the end of a silent connection');
  });

  it('publishes a delayed will, and forgets a session', async () => {
    const broker = await start();
    const will = { topicName: 'will', payload: 'x', willDelaySeconds: 1 };
    const mortal = await client(broker.url, { clientId: 'mortal', sessionExpirySeconds: 1, will });
    const heard: string[] = [];
    broker.subscribe('will', (message) => heard.push(message.text()));
    mortal.destroy();
    await eventually(() => broker.sessions().length === 0 && heard.length === 1, { what: 'the end' });
  });
});

describe('stop', () => {
  it('tells clients that it goes, and frees the ports', async () => {
    const broker = await start({ wsPort: 0, metricsPort: 0 });
    const { tcpPort, metricsUrl } = broker;
    const newer = await client(broker.url);
    const older = await client(`ws://127.0.0.1:${broker.wsPort}`, { protocol: '3.1.1' });
    const ends = Promise.all([endOf(newer), endOf(older)]);
    await broker.stop();
    expect(await ends).toMatchObject([{ reasonCode: 0x8b }, { code: 'ERR_CONNECTION' }]);
    await broker.stop();
    expect(await broker.ended).toBeNull();
    await expect(fetch(metricsUrl ?? '')).rejects.toThrow();
    expect((await start({ port: tcpPort })).tcpPort).toBe(tcpPort);
  });

  it('tells them what it was told to', async () => {
    const broker = await start();
    const ended = endOf(await client(broker.url));
    await broker.stop({ reasonCode: 0x9c });
    expect(await ended).toMatchObject({ reasonCode: 0x9c });
  });

  it('does not wait for those who do not listen', async () => {
    const broker = await start();
    const socket = connectSocket({ port: broker.tcpPort ?? 0, host: '127.0.0.1', allowHalfOpen: true });
    undo.push(() => socket.destroy());
    await once(socket, 'connect');
    socket.write(encodeObject({ type: 'CONNECT', clientId: 'deaf' }, { protocolVersion: 5 }));
    await eventually(() => broker.clients().length === 1, { what: 'the client' });
    await withDeadline(broker.stop({ graceMs: 20 }), 5000, 'the broker to stop');
  });
});

describe('restart', () => {
  async function busy(options: BrokerOptions = {}): Promise<{ broker: Broker; heard: string[] }> {
    const broker = await start(options);
    const heard: string[] = [];
    broker.subscribe('local', (message) => heard.push(message.text()));
    const session = await client(broker.url, { clientId: 'kept', sessionExpirySeconds: 600 });
    await session.subscribe('a', { qos: 1 }, () => {});
    const publisher = await client(broker.url);
    await publisher.publish('retained', 'x', { qos: 1, retain: true });
    return { broker, heard };
  }

  /** What is left of `busy` for those who come back. */
  async function leftOf(broker: Broker): Promise<[isSessionPresent: boolean | undefined, retained: number]> {
    const again = await client(broker.url, {
      clientId: 'kept',
      cleanStart: false,
      sessionExpirySeconds: 600,
    });
    return [again.connack?.sessionPresent, broker.gauges().retainedMessages];
  }

  it('keeps the state, and cuts every connection without a word', async () => {
    const { broker, heard } = await busy({ sysIntervalSeconds: 0 });
    const { url } = broker;
    const witness = await client(url);
    const ended = endOf(witness);
    await broker.restart();
    expect(await ended).toMatchObject({ code: 'ERR_CONNECTION' });
    expect(broker.url).toBe(url);
    expect(await leftOf(broker)).toEqual([true, 1]);
    broker.publish('local', 'x');
    expect(heard).toEqual(['x']);
  });

  it('forgets the state, but not who listens in this process', async () => {
    const { broker, heard } = await busy({ sysIntervalSeconds: 0 });
    const { url } = broker;
    await broker.restart({ keepState: false });
    expect(broker.url).toBe(url);
    expect(broker.counters.connectsAccepted).toBe(0);
    expect(await leftOf(broker)).toEqual([false, 0]);
    broker.publish('local', 'x');
    expect(heard).toEqual(['x']);
  });

  it('takes the state from where it is kept', async () => {
    const persist = join(folder, 'restarted');
    const { broker } = await busy({ sysIntervalSeconds: 0, persist });
    await expect(broker.restart({ keepState: false })).rejects.toThrow('with persist');
    await broker.restart();
    expect(await leftOf(broker)).toEqual([true, 1]);
    await broker.stop();
    expect(await leftOf(await start({ sysIntervalSeconds: 0, persist }))).toEqual([true, 1]);
    await expect(broker.restart()).rejects.toThrow('stopped');
  });
});

describe('a store that fails', () => {
  afterEach(() => vi.doUnmock('../../sim/broker/lmdb-store.ts'));

  it('ends the broker, and what it did not keep is not acknowledged', async () => {
    const store: Partial<BrokerStore> = {
      load: async () => ({ sessions: [], messages: new Map(), retained: new Map() }),
      putMessage() {},
      putRetained() {},
      hasChanges: () => true,
      commit: async () => Promise.reject(new Error('the disk is full')),
      close: async () => {},
    };
    vi.doMock('../../sim/broker/lmdb-store.ts', () => ({ openLmdbStore: async () => store }));
    const lines: string[] = [];
    const starting = {
      persist: 'anywhere',
      sysIntervalSeconds: 0,
      log: (_: unknown, line: string) => lines.push(line),
    };
    const broker = await start(starting);
    const failure = await withDeadline(broker.ended, 5000, 'the end of the broker');
    expect(failure?.message).toBe('the disk is full');
    expect(lines).toContain('the store failed, and the broker ends: the disk is full');
    await expect(connect(`mqtt://127.0.0.1:${broker.tcpPort}`)).rejects.toThrow();
  });
});

describe('who may do what', () => {
  it('is in files, which can be read again', async () => {
    const line = async (password: string): Promise<string> =>
      formatUser('alice', await hashPassword(Buffer.from(password)), null);
    const users = file('users', await line('secret'));
    const acl = file('rights', 'user alice\ntopic read open/#\n');
    const broker = await start({ users, acl });
    await expect(client(broker.url)).rejects.toMatchObject({ reasonCode: 0x87 });
    const alice = await client(broker.url, { userName: 'alice', password: 'secret' });
    await expect(alice.subscribe('closed/a', { qos: 1 })).rejects.toMatchObject({ reasonCodes: [0x87] });
    writeFileSync(users, await line('changed'));
    writeFileSync(acl, 'user alice\ntopic read closed/#\n');
    await broker.reload();
    await alice.subscribe('closed/a', { qos: 1 }, () => {});
    const late = client(broker.url, { userName: 'alice', password: 'secret' });
    await expect(late).rejects.toMatchObject({ reasonCode: 0x86 });
    writeFileSync(acl, 'no such line\n');
    await expect(broker.reload()).rejects.toBeInstanceOf(AccessFileError);
  });

  it('is what a certificate says, and no claim of a name', async () => {
    const { certificateFile: cert, keyFile: key, caFile } = files;
    const broker = await start({ tlsPort: 0, tls: { cert, key, ca: caFile } });
    const identity = {
      ca: readFileSync(caFile),
      cert: readFileSync(files.clientCertificateFile),
      key: readFileSync(files.clientKeyFile),
    };
    const url = `mqtts://127.0.0.1:${broker.tlsPort}`;
    await client(url, { clientId: 'known', tls: identity });
    expect(broker.client('known')?.userName).toBe('motemq test client');
    await client(url, { clientId: 'unknown', tls: { ca: identity.ca } });
    expect(broker.client('unknown')?.userName).toBeNull();
    const claiming = { userName: 'motemq test client', password: 'x', tls: { ca: identity.ca } };
    await expect(client(url, claiming)).rejects.toMatchObject({ code: 'ERR_CONNECTION_REFUSED' });
  });

  it('shows a new certificate once it was told to read it', async () => {
    const others = mkdtempSync(join(tmpdir(), 'motemq-renewed-'));
    undo.push(() => rmSync(others, { recursive: true, force: true }));
    const renewed = await makeCertificates(others);
    const cert = file('shown.crt', readFileSync(files.certificateFile, 'utf8'));
    const key = file('shown.key', readFileSync(files.keyFile, 'utf8'));
    const broker = await start({ tlsPort: 0, tls: { cert, key } });
    const serialOf = async (): Promise<string> => {
      const options = { port: broker.tlsPort, host: '127.0.0.1', rejectUnauthorized: false };
      const socket = connectTls(options);
      await once(socket, 'secureConnect');
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const before = await serialOf();
    writeFileSync(cert, readFileSync(renewed.certificateFile));
    await expect(broker.reload()).rejects.toThrow('tls: the certificate and its key cannot be used');
    expect(await serialOf()).toBe(before);
    writeFileSync(key, readFileSync(renewed.keyFile));
    await broker.reload();
    expect(await serialOf()).not.toBe(before);
  });
});

describe('what is said', () => {
  it('a line for each client that comes, goes or is refused, whatever it is called', async () => {
    const lines: string[] = [];
    const hooks: Hooks = {
      authenticate: ({ userName }) => ({ reasonCode: userName === 'mallory' ? 0x87 : 0 }),
    };
    const broker = await start({ hooks, log: (level, line) => lines.push(`${level} ${line}`) });
    const named = await client(broker.url, { clientId: 'a "b" é', userName: 'alice' });
    await expect(client(broker.url, { clientId: 'm', userName: 'mallory' })).rejects.toThrow();
    await named.disconnect();
    await eventually(() => lines.length === 3, { what: 'three lines' });
    expect(lines).toEqual([
      'info connected: "a \\"b\\" é", user "alice" from 127.0.0.1 (tcp), MQTT 5.0',
      expect.stringMatching(/^info refused: "m" from 127\.0\.0\.1 \(tcp\): .*\(0x87 Not authorized\)$/),
      expect.stringMatching(/^info disconnected: "a \\"b\\" é", user "alice": /),
    ]);
  });

  it('a mistake in a hook costs a connection, and is told', async () => {
    const errors: string[] = [];
    const hooks: Hooks = {
      published(message) {
        if (message.topicName === 'bad') throw new Error('a mistake in a hook');
        return undefined;
      },
    };
    const log = (level: string, line: string): void => {
      if (level === 'error') errors.push(line);
    };
    const broker = await start({ hooks, log });
    const unlucky = await client(broker.url);
    const lucky = await client(broker.url);
    const ended = endOf(unlucky);
    unlucky.publish('bad', 'x', { qos: 1 }).catch(() => {});
    await ended;
    await lucky.publish('good', 'x', { qos: 1 });
    expect(errors.join()).toContain('a mistake in a hook');
  });

  it('an error becomes a warning of the process where there is no log', async () => {
    const hooks: Hooks = {
      published() {
        throw new Error('nobody logs this');
      },
    };
    const broker = await start({ hooks });
    const warned = once(process, 'warning') as Promise<[Error]>;
    const publisher = await client(broker.url);
    publisher.publish('a', 'x', { qos: 1 }).catch(() => {});
    const [warning] = await withDeadline(warned, 5000, 'the warning');
    expect(warning).toMatchObject({ name: 'MotemqBrokerWarning', message: /nobody logs this/ });
  });
});
