/**
 * The broker's listeners and links on real sockets, without a core behind them.
 */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { connect, createServer, type AddressInfo, type NetConnectOpts, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import type { LinkTransport } from '../../sim/broker/link.ts';
import { Listeners, type ListenerOptions } from '../../sim/broker/listeners.ts';
import { loadIdentity } from '../../sim/broker/tls-files.ts';
import { makeCertificates, type CertificateFiles } from '../support/certificates.ts';
import { afterIo, eventually } from '../support/wait.ts';
import { LinkStage, type RecordedLink } from './link-stage.ts';

const HOST = '127.0.0.1';
const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);

let folder = '';
let files: CertificateFiles;
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'motemq-listeners-'));
  files = await makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Stage {
  readonly stage: LinkStage;
  readonly listeners: Listeners;
  portOf(transport: LinkTransport): number;
  /** The link that was opened as the `index`th. */
  link(index?: number): Promise<RecordedLink>;
}

/** Opens a listener of each of these transports. */
async function listen(transports: LinkTransport[], options: Partial<ListenerOptions> = {}): Promise<Stage> {
  const stage = new LinkStage();
  const listeners = await Listeners.start(
    {
      host: HOST,
      ports: Object.fromEntries(transports.map((transport) => [transport, 0])),
      identity: loadIdentity({ cert: files.certificateFile, key: files.keyFile, ca: files.caFile }),
      webSocketPath: undefined,
      handshakeMsMax: 10_000,
      maximumPacketSize: 1000,
      handleError: (error) => expect.unreachable(error.message),
      ...options,
    },
    stage,
  );
  undo.push(() => listeners.close());
  return {
    stage,
    listeners,
    portOf: (transport) => listeners.open.find((one) => one.transport === transport)!.port,
    link: (index = 0) => eventually(() => stage.links[index], { what: `link ${index}` }),
  };
}

/** A client's end of a connection. */
interface Client {
  readonly socket: Socket;
  /** What it was sent. */
  text: string;
}

async function client(port: number, options: Partial<NetConnectOpts> = {}): Promise<Client> {
  return opened(connect({ port, host: HOST, ...options } as NetConnectOpts), 'connect');
}

async function tlsClient(port: number, options: ConnectionOptions = {}): Promise<Client> {
  const ca = readFileSync(files.caFile);
  return opened(connectTls({ port, host: HOST, ca, ...options }), 'secureConnect');
}

async function opened(socket: Socket, event: string): Promise<Client> {
  const one = { socket, text: '' };
  undo.push(() => socket.destroy());
  await once(socket, event);
  socket.on('error', () => {});
  socket.on('data', (bytes: Buffer) => (one.text += bytes.toString()));
  return one;
}

async function webSocketClient(url: string, options: ClientOptions = {}): Promise<WebSocket> {
  const webSocket = new WebSocket(url, 'mqtt', options);
  undo.push(() => webSocket.terminate());
  await once(webSocket, 'open');
  return webSocket;
}

const identityOfClient = (): { cert: Buffer; key: Buffer } => ({
  cert: readFileSync(files.clientCertificateFile),
  key: readFileSync(files.clientKeyFile),
});

describe.each(['tcp', 'tls'] as const)('%s', (transport) => {
  const open = (port: number, options: object = {}) =>
    transport === 'tcp' ? client(port, options) : tlsClient(port, options);

  it('carries bytes both ways, and tells once when they were written and when it closed', async () => {
    const { portOf, link } = await listen([transport]);
    const peer = await open(portOf(transport));
    const served = await link();
    expect(served.link.origin).toEqual({ transport, remoteAddress: HOST, certificateName: null });
    peer.socket.write('ping');
    await eventually(() => served.text === 'ping', { what: 'the bytes' });
    served.link.write(Buffer.from('pong'));
    expect(served.writtenCount).toBe(0); // not before the call has returned
    await eventually(() => served.writtenCount === 1 && peer.text === 'pong', { what: 'the answer' });
    peer.socket.destroy();
    await eventually(() => served.closeCount === 1, { what: 'the end' });
    await afterIo();
    expect(served).toMatchObject({ closeCount: 1, writtenCount: 1 });
  });

  it('closes when the other side has ended, with what was written before', async () => {
    const { portOf, link } = await listen([transport]);
    const peer = await open(portOf(transport), { allowHalfOpen: true });
    const served = await link();
    served.link.write(Buffer.from('last words'));
    peer.socket.end('goodbye');
    await eventually(() => served.closeCount === 1, { what: 'the end' });
    expect(served.text).toBe('goodbye');
    await eventually(() => peer.text === 'last words', { what: 'what was written before' });
    served.link.write(Buffer.from('too late'));
    served.link.end();
    served.link.destroy();
    await afterIo();
    expect(served.closeCount).toBe(1);
  });

  it('ends after what was written has left, and hears nothing more', async () => {
    const { portOf, link } = await listen([transport]);
    const peer = await open(portOf(transport));
    const served = await link();
    const byteLength = 3_000_000;
    served.link.write(Buffer.alloc(byteLength, 'x'));
    served.link.end();
    peer.socket.write('do you hear me?');
    await once(peer.socket, 'end');
    expect(peer.text).toHaveLength(byteLength);
    await eventually(() => served.closeCount === 1, { what: 'the end' });
    expect(served.text).toBe('');
  });

  it('is destroyed at once', async () => {
    const { portOf, link } = await listen([transport]);
    const peer = await open(portOf(transport));
    const served = await link();
    served.link.destroy();
    served.link.destroy();
    await once(peer.socket, 'close');
    await eventually(() => served.closeCount === 1, { what: 'the end' });
  });

  it('does not say that bytes were written that nobody takes, nor read while paused', async () => {
    const { portOf, link } = await listen([transport]);
    const peer = await open(portOf(transport));
    const served = await link();
    served.link.pause();
    peer.socket.pause();
    const bytes = Buffer.alloc(8_000_000);
    served.link.write(bytes);
    peer.socket.write('unread');
    await afterIo();
    await afterIo();
    expect(served).toMatchObject({ writtenCount: 0, text: '' });
    served.link.resume();
    await eventually(() => served.text === 'unread', { what: 'the bytes, after resume' });
    expect(served.writtenCount).toBe(0);
    peer.socket.resume();
    await eventually(() => served.writtenCount === 1, { what: 'the write' });
    await eventually(() => peer.text.length === bytes.length, { what: 'the bytes' });
  });

  it('is closed with its listener', async () => {
    const { portOf, link, listeners } = await listen([transport]);
    const port = portOf(transport);
    const peer = await open(port);
    const served = await link();
    await Promise.all([once(peer.socket, 'close'), listeners.close()]);
    await eventually(() => served.closeCount === 1, { what: 'the end' });
    const again = connect(port, HOST);
    const [error] = (await once(again, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });
});

describe('addresses', () => {
  it.skipIf(!hasIpv6)('of IPv4 over an IPv6 socket are those of IPv4', async () => {
    const { portOf, link } = await listen(['tcp'], { host: '::' });
    await client(portOf('tcp'));
    expect((await link()).link.origin.remoteAddress).toBe('127.0.0.1');
  });

  it.skipIf(!hasIpv6)('of IPv6', async () => {
    const { portOf, link } = await listen(['tcp', 'ws'], { host: '::1' });
    await client(portOf('tcp'), { host: '::1' });
    expect((await link(0)).link.origin.remoteAddress).toBe('::1');
    await webSocketClient(`ws://[::1]:${portOf('ws')}`);
    expect((await link(1)).link.origin.remoteAddress).toBe('::1');
  });
});

describe('client certificates', () => {
  it('name the client, if the CA vouches for it', async () => {
    const { portOf, link } = await listen(['tls', 'wss']);
    await tlsClient(portOf('tls'), identityOfClient());
    expect((await link(0)).link.origin.certificateName).toBe('motemq test client');
    const ca = readFileSync(files.caFile);
    await webSocketClient(`wss://${HOST}:${portOf('wss')}`, { ca, ...identityOfClient() });
    expect((await link(1)).link.origin.certificateName).toBe('motemq test client');
  });

  it('of another CA do not, but let in where none is required', async () => {
    const strangers = mkdtempSync(join(tmpdir(), 'motemq-strangers-'));
    undo.push(() => rmSync(strangers, { recursive: true, force: true }));
    const { clientCertificateFile, clientKeyFile } = await makeCertificates(strangers);
    const stranger = { cert: readFileSync(clientCertificateFile), key: readFileSync(clientKeyFile) };
    const { portOf, link } = await listen(['tls']);
    await tlsClient(portOf('tls'), stranger);
    expect((await link()).link.origin.certificateName).toBeNull();
  });

  it('can be required', async () => {
    const { certificateFile: cert, keyFile: key, caFile: ca } = files;
    const identity = loadIdentity({ cert, key, ca, requireClientCertificate: true });
    const { portOf, link, stage } = await listen(['tls'], { identity });
    const refused = connectTls({ port: portOf('tls'), host: HOST, ca: readFileSync(ca) });
    refused.resume();
    await once(refused, 'error');
    expect(stage.links).toHaveLength(0);
    await tlsClient(portOf('tls'), identityOfClient());
    expect((await link()).link.origin.certificateName).toBe('motemq test client');
  });

  it('and keys that cannot be read or do not fit say so', () => {
    const { certificateFile: cert, keyFile: key, clientKeyFile } = files;
    const missing = join(folder, 'nothing.pem');
    expect(() => loadIdentity({ cert: missing, key })).toThrow(`tls.cert: cannot read ${missing}: ENOENT`);
    const empty = join(folder, 'openssl.cnf');
    expect(() => loadIdentity({ cert, key: empty })).toThrow(`tls.key: there is no PEM in ${empty}`);
    expect(() => loadIdentity({ cert, key: clientKeyFile })).toThrow(/^tls: the certificate and its key/);
    expect(loadIdentity({ cert: readFileSync(cert, 'utf8'), key })).toMatchObject({ cert: /BEGIN/ });
  });
});

describe.each(['ws', 'wss'] as const)('%s', (transport) => {
  const url = (port: number, path = '/') => `${transport}://${HOST}:${port}${path}`;
  const trusting = (): ClientOptions => ({ ca: readFileSync(files.caFile) });

  it('carries binary messages both ways, whatever their borders [MQTT-6.0.0-1] [MQTT-6.0.0-2]', async () => {
    const { portOf, link } = await listen([transport]);
    const webSocket = await webSocketClient(url(portOf(transport)), trusting());
    const served = await link();
    expect(served.link.origin).toEqual({ transport, remoteAddress: HOST, certificateName: null });
    const received: [Buffer, boolean][] = [];
    webSocket.on('message', (data: Buffer, isBinary) => received.push([data, isBinary]));
    webSocket.send(Buffer.from('half a pac'));
    webSocket.send(Buffer.from('ket'));
    webSocket.send(Buffer.alloc(0));
    webSocket.send(Buffer.from(', in '), { fin: false });
    webSocket.send(Buffer.from('pieces'), { fin: true });
    await eventually(() => served.text === 'half a packet, in pieces', { what: 'all pieces' });
    served.link.write(Buffer.from('answer'));
    expect(served.writtenCount).toBe(0);
    await eventually(() => received.length === 1 && served.writtenCount === 1, { what: 'the answer' });
    expect(received).toEqual([[Buffer.from('answer'), true]]);
    webSocket.close();
    await eventually(() => served.closeCount === 1, { what: 'the end' });
  });

  it('ends at a text message [MQTT-6.0.0-1]', async () => {
    const { portOf, link } = await listen([transport]);
    const webSocket = await webSocketClient(url(portOf(transport)), trusting());
    const served = await link();
    webSocket.send('text');
    webSocket.send(Buffer.from('bytes'));
    const [code] = (await once(webSocket, 'close')) as [number];
    expect(code).toBe(1003);
    await eventually(() => served.closeCount === 1, { what: 'the end' });
    expect(served.text).toBe('');
  });

  it('ends politely after what was written, and is destroyed without', async () => {
    const { portOf, link } = await listen([transport]);
    const first = await webSocketClient(url(portOf(transport)), trusting());
    const messages: Buffer[] = [];
    first.on('message', (data: Buffer) => messages.push(data));
    const polite = await link(0);
    polite.link.write(Buffer.alloc(2_000_000));
    polite.link.end();
    polite.link.end();
    const [politeCode] = (await once(first, 'close')) as [number];
    expect([politeCode, Buffer.concat(messages).length]).toEqual([1000, 2_000_000]);
    const second = await webSocketClient(url(portOf(transport)), trusting());
    (await link(1)).link.destroy();
    const [code] = (await once(second, 'close')) as [number];
    expect(code).toBe(1006);
    await eventually(() => polite.closeCount === 1, { what: 'the end' });
  });

  it('is mqtt, if that was offered, and nothing else [MQTT-6.0.0-3] [MQTT-6.0.0-4]', async () => {
    const { portOf, stage } = await listen([transport]);
    const address = url(portOf(transport));
    const offering = new WebSocket(address, ['mqttv3.1', 'mqtt'], trusting());
    undo.push(() => offering.terminate());
    await once(offering, 'open');
    expect(offering.protocol).toBe('mqtt');
    for (const offered of [[], ['mqttv3.1'], ['chat']]) {
      const refused = new WebSocket(address, offered, trusting());
      const [error] = (await once(refused, 'error')) as [Error];
      expect(error.message).toContain('400');
    }
    expect(stage.links).toHaveLength(1);
  });

  it('answers pings, but not without end to who does not read', async () => {
    const { portOf, link } = await listen([transport]);
    const webSocket = await webSocketClient(url(portOf(transport)), trusting());
    const served = await link();
    const pongs: string[] = [];
    webSocket.on('pong', (data: Buffer) => pongs.push(data.toString()));
    webSocket.ping('there?');
    await eventually(() => pongs.length === 1, { what: 'the answer' });
    expect(pongs).toEqual(['there?']);
    webSocket.pause();
    served.link.write(Buffer.alloc(20_000_000));
    for (let i = 0; i < 1000; i++) webSocket.ping(String(i));
    webSocket.send(Buffer.from('behind them'));
    await eventually(() => served.text === 'behind them', { what: 'the message behind' });
    webSocket.resume();
    await eventually(() => served.writtenCount === 1, { what: 'the write' });
    webSocket.ping('and now?');
    await eventually(() => pongs.at(-1) === 'and now?', { what: 'the answer' });
    expect(pongs).toEqual(['there?', 'and now?']);
  });

  it('is at one path, where one is named', async () => {
    const { portOf } = await listen([transport], { webSocketPath: '/mqtt' });
    await webSocketClient(url(portOf(transport), '/mqtt?token=1'), trusting());
    const refused = new WebSocket(url(portOf(transport), '/other'), 'mqtt', trusting());
    const [error] = (await once(refused, 'error')) as [Error];
    expect(error.message).toContain('404');
  });

  it('takes a message of many packets, but not without end', async () => {
    const { portOf, link } = await listen([transport], { maximumPacketSize: 2_000_000 });
    const webSocket = await webSocketClient(url(portOf(transport)), trusting());
    const served = await link();
    webSocket.send(Buffer.alloc(2_000_000));
    await eventually(() => served.text.length === 2_000_000, { what: 'the message' });
    webSocket.send(Buffer.alloc(2_100_000));
    const [code] = (await once(webSocket, 'close')) as [number];
    expect(code).toBe(1009);
    await eventually(() => served.closeCount === 1, { what: 'the end' });
  });
});

it('says over HTTP what it is', async () => {
  const { portOf } = await listen(['ws']);
  const request = get({ host: HOST, port: portOf('ws') });
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
  expect(response.statusCode).toBe(426);
  let text = '';
  for await (const chunk of response) text += String(chunk);
  expect(text).toContain('MQTT');
});

it('opens all or none, and says which port is in use', async () => {
  const taken = createServer();
  undo.push(() => taken.close());
  taken.listen(0, HOST);
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const free = createServer();
  free.listen(0, HOST);
  await once(free, 'listening');
  const other = (free.address() as AddressInfo).port;
  await new Promise((resolve) => free.close(resolve));
  const failing = listen([], { ports: { tcp: other, ws: port } });
  await expect(failing).rejects.toMatchObject({
    code: 'EADDRINUSE',
    message: `cannot listen on ws://127.0.0.1:${port}: the port is in use (EADDRINUSE)`,
  });
  const again = await listen([], { ports: { tcp: other } });
  expect(again.portOf('tcp')).toBe(other);
});

it('gives up a TLS handshake and a WebSocket request that do not come', async () => {
  const { portOf, stage } = await listen(['tls', 'ws'], { handshakeMsMax: 50 });
  const silent = [await client(portOf('tls')), await client(portOf('ws'))];
  await Promise.all(silent.map(({ socket }) => once(socket, 'close')));
  expect(stage.links).toHaveLength(0);
});
