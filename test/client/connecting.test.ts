/**
 * The first connection, and why there is none: nobody there, nobody answering, refusals in either protocol's words; and
 * goodbyes of the server, with what the client does about each.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  connect,
  ConnectionError,
  ConnectionRefusedError,
  createClient,
  TimeoutError,
} from '../../targets/node/index.ts';
import { eventually, freePort } from '../support/wait.ts';
import {
  after,
  bytesOf,
  cleanUp,
  clientOf,
  connectedTo,
  nextDisconnect,
  serve,
  serveRaw,
  whenClosed,
} from './stage.ts';

afterEach(cleanUp);

/** What a promise rejects with. */
async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );
}

describe('no connection', () => {
  it('refused by the system: nobody listens', async () => {
    const error = await failureOf(connect(`mqtt://127.0.0.1:${await freePort()}`));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({
      name: 'ConnectionError',
      code: 'ERR_CONNECTION',
      message: expect.stringContaining('ECONNREFUSED'),
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it('refused on every address of a name', async () => {
    const error = await failureOf(connect(`mqtt://localhost:${await freePort()}`));
    expect(error).toMatchObject({ code: 'ERR_CONNECTION', message: expect.stringContaining('ECONNREFUSED') });
  });

  it('no such name', async () => {
    const error = await failureOf(connect('mqtt://no-such-host.invalid'));
    expect(error).toMatchObject({
      code: 'ERR_CONNECTION',
      message: expect.stringContaining('no-such-host.invalid'),
      cause: { code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) },
    });
  });

  it('TLS to a server that does not speak it', async () => {
    // Answers a ClientHello as a broker answers what is no CONNECT: it closes.
    const listener = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.destroy());
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    after(() => new Promise((resolve) => listener.close(resolve)));
    const error = await failureOf(connect(`mqtts://127.0.0.1:${(listener.address() as AddressInfo).port}`));
    expect(error).toMatchObject({ code: 'ERR_CONNECTION', cause: expect.any(Error) });
  });

  it('WebSocket to a server that does not speak it', async () => {
    const listener = createServer((socket) => {
      socket.on('error', () => {});
      socket.resume();
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    after(() => new Promise((resolve) => listener.close(resolve)));
    const error = await failureOf(connect(`ws://127.0.0.1:${(listener.address() as AddressInfo).port}/mqtt`));
    expect(error).toMatchObject({ code: 'ERR_CONNECTION', message: expect.stringContaining('404') });
  });

  it.each([
    ['closes at once', (connection: { end(): void }) => connection.end()],
    ['resets at once', (connection: { reset(): void }) => connection.reset()],
  ] as const)('a server that %s', async (_what, leave) => {
    const server = await serveRaw((connection) => leave(connection));
    const error = await failureOf(connect(`mqtt://127.0.0.1:${server.port}`));
    expect(error).toMatchObject({ name: 'ConnectionError', code: 'ERR_CONNECTION' });
  });

  it.each([
    ['nothing', ''],
    ['half a CONNACK', '20 03 00'],
  ])('a server that answers CONNECT with %s and closes', async (_what, hex) => {
    const server = await serveRaw(async (connection) => {
      await connection.nextPacket();
      await connection.send(hex);
      connection.end();
    });
    const error = await failureOf(connect(`mqtt://127.0.0.1:${server.port}`));
    expect(error).toMatchObject({ code: 'ERR_CONNECTION', message: 'the connection was closed' });
  });

  it.each([
    ['nothing', ''],
    ['half a CONNACK', '20 03 00'],
  ])('a server that answers CONNECT with %s and waits', async (_what, hex) => {
    const server = await serveRaw(async (connection) => {
      await connection.nextPacket();
      await connection.send(hex);
    });
    const startedAt = performance.now();
    const error = await failureOf(connect(`mqtt://127.0.0.1:${server.port}`, { connectTimeoutMs: 60 }));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'ERR_CONNECT_TIMEOUT' });
    expect(performance.now() - startedAt).toBeGreaterThan(50);
    await server.connections[0].closed;
  });

  it('the time counts from the beginning of the attempt, and an attempt later begins anew', async () => {
    const server = await serve({
      answer: ({ type }, { index }) => (type === 'CONNECT' && index < 2 ? '' : undefined),
    });
    const client = clientOf(server, {
      connectTimeoutMs: 30,
      retryFirstConnect: true,
      reconnect: { firstMs: 1, maximumMs: 1 },
    });
    const codes: unknown[] = [];
    client.on('disconnect', ({ error }) => codes.push(error?.code));
    await client.firstConnect;
    expect(codes).toEqual(['ERR_CONNECT_TIMEOUT', 'ERR_CONNECT_TIMEOUT']);
    expect(server.connections).toHaveLength(3);
  });

  it('a client that is destroyed or closed while it connects says so', async () => {
    const server = await serveRaw(() => {});
    for (const leave of ['destroy', 'disconnect'] as const) {
      const client = clientOf(server);
      const failure = failureOf(client.firstConnect);
      await client[leave]();
      expect(await failure).toMatchObject({ name: 'MotemqError', code: 'ERR_CLOSED' });
      expect(client.isConnected).toBe(false);
    }
  });

  it('a failed first attempt is the last one, unless told otherwise', async () => {
    const port = await freePort();
    const client = createClient(`mqtt://127.0.0.1:${port}`, { reconnect: { firstMs: 1 } });
    const closed = whenClosed(client);
    const { reconnectInMs } = await nextDisconnect(client);
    await closed;
    expect(reconnectInMs).toBeUndefined();
    await expect(client.publish('a', 'x')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });
});

describe('a refusal', () => {
  it.each([
    [1, 'Connection Refused, unacceptable protocol version', false],
    [2, 'Connection Refused, identifier rejected', false],
    [3, 'Connection Refused, Server unavailable', true],
    [4, 'Connection Refused, bad user name or password', false],
    [5, 'Connection Refused, not authorized', false],
  ])('MQTT 3.1.1: return code %i, %s', async (code, reasonName, isTransient) => {
    const server = await serve({
      protocol: '3.1.1',
      answer: ({ type }, { index }) => (type === 'CONNECT' && index === 0 ? `20 02 00 0${code}` : undefined),
    });
    const client = clientOf(server, {
      protocol: '3.1.1',
      retryFirstConnect: true,
      reconnect: { firstMs: 1, maximumMs: 1 },
    });
    const end = await nextDisconnect(client);
    expect(end.error).toBeInstanceOf(ConnectionRefusedError);
    expect(end).toMatchObject({
      reasonCode: code,
      reconnectInMs: isTransient ? 1 : undefined,
      error: { code: 'ERR_CONNECTION_REFUSED', reasonCode: code, reasonName },
    });
    if (isTransient) await client.firstConnect;
    else await expect(client.firstConnect).rejects.toBe(end.error);
  });

  it.each([
    [0x80, 'Unspecified error', true],
    [0x81, 'Malformed Packet', false],
    [0x84, 'Unsupported Protocol Version', false],
    [0x85, 'Client Identifier not valid', false],
    [0x86, 'Bad User Name or Password', false],
    [0x87, 'Not authorized', false],
    [0x88, 'Server unavailable', true],
    [0x89, 'Server busy', true],
    [0x8a, 'Banned', false],
    [0x95, 'Packet too large', false],
    [0x97, 'Quota exceeded', true],
    [0x9c, 'Use another server', false],
    [0x9d, 'Server moved', false],
    [0x9f, 'Connection rate exceeded', true],
  ])('MQTT 5.0: reason code %i, %s', async (reasonCode, reasonName, isTransient) => {
    const refusal = bytesOf({
      type: 'CONNACK',
      reasonCode,
      properties: { reasonString: 'not today', serverReference: 'other.example:1883' },
    });
    const server = await serve({
      answer: ({ type }, { index }) => (type === 'CONNECT' && index === 0 ? refusal : undefined),
    });
    const client = clientOf(server, { retryFirstConnect: true, reconnect: { firstMs: 1, maximumMs: 1 } });
    const { error, reconnectInMs } = await nextDisconnect(client);
    expect(error).toMatchObject({
      name: 'ConnectionRefusedError',
      reasonCode,
      reasonName,
      reasonString: 'not today',
      serverReference: 'other.example:1883',
      message: `connection refused: ${reasonName} (0x${reasonCode.toString(16)}): not today`,
    });
    expect(reconnectInMs).toBe(isTransient ? 1 : undefined);
    if (isTransient) await client.firstConnect;
    else await expect(client.firstConnect).rejects.toBe(error);
  });

  it('of 5.0 by a server that has only words of 3.1.1 for it', async () => {
    const server = await serveRaw(async (connection) => {
      await connection.nextPacket();
      await connection.send('20 02 00 01');
      connection.end();
    });
    const error = await failureOf(connect(`mqtt://127.0.0.1:${server.port}`));
    expect(error).toBeInstanceOf(ConnectionRefusedError);
    expect(error).toMatchObject({
      reasonCode: 0x84,
      reasonName: 'Unsupported Protocol Version',
      message: expect.stringContaining("try protocol '3.1.1'"),
    });
  });

  it('is final also for a client that was connected before', async () => {
    const server = await serve({
      answer: ({ type }, { index }) =>
        type === 'CONNECT' && index > 0 ? bytesOf({ type: 'CONNACK', reasonCode: 0x8a }) : undefined,
    });
    const client = await connectedTo(server, { reconnect: { firstMs: 1 } });
    const closed = whenClosed(client);
    const waiting = client.subscribe('a').then((subscription) => subscription.next());
    await eventually(() => server.connections[0].received.length === 2, { what: 'SUBSCRIBE' });
    server.connections[0].reset();
    await closed;
    expect(await waiting).toEqual({ done: true, value: undefined });
    await expect(client.publish('a', 'x', { qos: 1 })).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(server.connections).toHaveLength(2);
  });
});

describe('a goodbye of the server', () => {
  it.each([
    [0x00, 'Success', true],
    [0x8b, 'Server shutting down', true],
    [0x8d, 'Keep Alive timeout', true],
    [0x8e, 'Session taken over', false],
    [0x87, 'Not authorized', false],
    [0x93, 'Receive Maximum exceeded', true],
    [0x98, 'Administrative action', true],
    [0x9d, 'Server moved', false],
  ])('MQTT 5.0: reason code %i, %s [MQTT-3.14.4-1]', async (reasonCode, name, isReturning) => {
    const goodbye = bytesOf({ type: 'DISCONNECT', reasonCode, properties: { reasonString: 'so long' } });
    const server = await serve({
      answer: (packet, connection) => {
        if (packet.type !== 'PUBLISH' || connection.index > 0) return undefined;
        setImmediate(() => connection.end());
        return goodbye;
      },
    });
    const client = await connectedTo(server, { reconnect: { firstMs: 1, maximumMs: 1 } });
    const closed = isReturning ? undefined : whenClosed(client);
    const end = nextDisconnect(client);
    const published = client.publish('a', 'x', { qos: 1 });
    published.catch(() => undefined);
    const { error, reconnectInMs, ...rest } = await end;
    expect(rest).toEqual({ reasonCode });
    expect(error).toMatchObject({
      name: 'ConnectionError',
      code: 'ERR_DISCONNECTED_BY_SERVER',
      reasonCode,
      message: `the server disconnected: ${name}: so long`,
    });
    expect(reconnectInMs).toBe(isReturning ? 1 : undefined);
    if (isReturning) {
      expect((await published).reasonCode).toBe(0);
    } else {
      await closed;
      await expect(published).rejects.toBe(error);
      // Two clients of one name would go on throwing each other out.
      expect(server.connections).toHaveLength(1);
    }
  });
});
