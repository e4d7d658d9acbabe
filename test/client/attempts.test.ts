/**
 * The way to CONNACK and back to it, as events and promises tell it: accepted, refused, no answer, lost, again.
 */
import { describe, expect, it } from 'vitest';
import {
  ConnectionError,
  ConnectionRefusedError,
  ProtocolError,
  TimeoutError,
  connect,
} from '../../targets/node/index.ts';
import type { Disconnect } from '../../targets/node/index.ts';
import { freePort } from '../support/wait.ts';
import { clientOf, connected, eventOf, failureOf, serve, soon } from './played-server.ts';

/** Milliseconds between attempts, as short as they go. */
const SOON = { firstMs: 1, maximumMs: 1 };

describe('a first attempt', () => {
  it('resolves at CONNACK, with what the server said [MQTT-3.1.0-1], [MQTT-3.2.2-16]', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url, { clientId: '' });
    const told = eventOf(client, 'connect');
    expect([client.isConnected, client.connack]).toEqual([false, undefined]);
    const peer = await nextPeer();
    await peer.accept({ assignedClientIdentifier: 'given', receiveMaximum: 7 });
    const connack = await soon(client.firstConnect, 'CONNACK');
    expect(connack).toEqual({
      sessionPresent: false,
      properties: { assignedClientIdentifier: 'given', receiveMaximum: 7 },
    });
    expect(await told).toBe(connack);
    expect([client.isConnected, client.connack, client.clientId]).toEqual([true, connack, 'given']);
    expect(peer.receivedTypes).toEqual(['CONNECT']);
  });

  it('takes a CONNACK that comes byte by byte', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url);
    const peer = await nextPeer();
    await peer.next('CONNECT');
    await peer.connection.sendByteByByte('20 06 00 00 03 21 00 05');
    expect(await soon(client.firstConnect, 'CONNACK')).toMatchObject({ properties: { receiveMaximum: 5 } });
  });

  it.each([
    ['5.0', 5, 0x86, 'Bad User Name or Password'],
    ['3.1.1', 4, 0x05, 'Connection Refused, not authorized'],
  ] as const)(
    'that %s refuses rejects, and nothing follows',
    async (protocol, version, reasonCode, reasonName) => {
      const { url, nextPeer } = await serve(version);
      const client = clientOf(url, { protocol, userName: 'u', password: 's3cr3t' });
      const ends: unknown[] = [];
      client.on('disconnect', (end) => ends.push(end));
      const closed = eventOf(client, 'close');
      const peer = await nextPeer();
      await peer.next('CONNECT');
      await peer.send({ type: 'CONNACK', reasonCode });
      const error = await failureOf(client.firstConnect);
      expect(error).toBeInstanceOf(ConnectionRefusedError);
      expect(error).toMatchObject({ code: 'ERR_CONNECTION_REFUSED', reasonCode, reasonName });
      expect(error.message).not.toContain('s3cr3t');
      await closed;
      await peer.closed();
      expect(ends).toEqual([{ error, reasonCode, reconnectInMs: undefined }]);
      expect(peer.receivedTypes).toEqual(['CONNECT']);
      expect(await failureOf(client.publish('t', 'x'))).toMatchObject({ code: 'ERR_CLOSED' });
    },
  );

  it("has the server's words when it is refused", async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url);
    const peer = await nextPeer();
    await peer.next('CONNECT');
    const properties = { reasonString: 'try the other', serverReference: 'other:1883' };
    await peer.send({ type: 'CONNACK', reasonCode: 0x9c, properties });
    expect(await failureOf(client.firstConnect)).toMatchObject({ reasonCode: 0x9c, ...properties });
  });

  it('of 5.0 that is answered in 3.1.1 says so', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url);
    const peer = await nextPeer();
    await peer.next('CONNECT');
    await peer.connection.send('20 02 00 01');
    const error = await failureOf(client.firstConnect);
    expect(error).toBeInstanceOf(ConnectionRefusedError);
    expect(error).toMatchObject({ reasonCode: 0x84, message: expect.stringContaining("protocol '3.1.1'") });
  });

  it('rejects when the server closes right after CONNECT, or resets', async () => {
    for (const how of ['end', 'reset'] as const) {
      const { url, nextPeer } = await serve();
      const client = clientOf(url);
      const peer = await nextPeer();
      await peer.next('CONNECT');
      peer.connection[how]();
      const error = await failureOf(client.firstConnect);
      expect(error).toBeInstanceOf(ConnectionError);
      expect(error.code).toBe('ERR_CONNECTION');
      if (how === 'reset') expect(error.cause).toMatchObject({ code: 'ECONNRESET' });
    }
  });

  it('rejects when nobody listens', async () => {
    const error = await failureOf(connect(`mqtt://127.0.0.1:${await freePort()}`));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ code: 'ERR_CONNECTION', cause: { code: 'ECONNREFUSED' } });
  });

  it('rejects when no CONNACK comes in time, and closes', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url, { connectTimeoutMs: 20 });
    const peer = await nextPeer();
    const error = await failureOf(client.firstConnect);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error.code).toBe('ERR_CONNECT_TIMEOUT');
    await peer.closed();
  });

  it('rejects when the server begins with another packet [MQTT-3.2.0-1]', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url);
    const peer = await nextPeer();
    await peer.next('CONNECT');
    await peer.publish('t', 'early');
    const error = await failureOf(client.firstConnect);
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({ code: 'ERR_PROTOCOL', reasonCode: 0x82 });
    expect(error.message).toMatch(/^UNEXPECTED_PACKET/);
  });

  it('rejects when the server claims a session that was not asked for [MQTT-3.2.2-4]', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url);
    const peer = await nextPeer();
    await peer.accept(undefined, true);
    expect(await failureOf(client.firstConnect)).toMatchObject({ code: 'ERR_PROTOCOL', reasonCode: 0x82 });
    expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x82 });
  });

  it('is not the last with retryFirstConnect', async () => {
    const { url, nextPeer } = await serve();
    const client = clientOf(url, { retryFirstConnect: true, reconnect: SOON });
    const again = eventOf(client, 'reconnecting');
    const ended = eventOf(client, 'disconnect');
    (await nextPeer()).connection.reset();
    const end = await ended;
    expect(end).toMatchObject({ error: { code: 'ERR_CONNECTION' }, reconnectInMs: 1 });
    expect(await again).toEqual({ inMs: 1 });
    await (await nextPeer()).accept();
    expect(await soon(client.firstConnect, 'CONNACK')).toMatchObject({ sessionPresent: false });
  });

  it('is one of attemptsMax with retryFirstConnect', async () => {
    const { url, nextPeer, server } = await serve();
    const client = clientOf(url, { retryFirstConnect: true, reconnect: { ...SOON, attemptsMax: 2 } });
    const ends: (number | undefined)[] = [];
    client.on('disconnect', ({ reconnectInMs }) => ends.push(reconnectInMs));
    for (let i = 0; i < 3; i++) (await nextPeer()).connection.reset();
    expect(await failureOf(client.firstConnect)).toMatchObject({ code: 'ERR_CONNECTION' });
    expect([ends, server.connections.length]).toEqual([[1, 1, undefined], 3]);
  });
});

describe('a connection that is lost', () => {
  it('is made again, which events tell', async () => {
    const { client, peer, nextPeer } = await connected({ reconnect: SOON, sessionExpirySeconds: 100 });
    const told: string[] = [];
    for (const name of ['disconnect', 'reconnecting', 'connect', 'close'] as const) {
      client.on(name, () => told.push(name));
    }
    peer.connection.reset();
    const second = await nextPeer();
    const connecting = eventOf(client, 'connect');
    expect((await second.accept(undefined, true)).cleanStart ?? false).toBe(false);
    expect(await connecting).toMatchObject({ sessionPresent: true });
    expect(told).toEqual(['disconnect', 'reconnecting', 'connect']);
    expect(client.isConnected).toBe(true);
  });

  it('is the last with reconnect false: who waits is told', async () => {
    const { client, peer, server } = await connected({ reconnect: false });
    const publishing = client.publish('t', 'x', { qos: 1 });
    const [ended, closed] = [eventOf(client, 'disconnect'), eventOf(client, 'close')];
    await peer.next('PUBLISH');
    peer.connection.reset();
    const end: Disconnect = await ended;
    expect(end.error).toBeInstanceOf(ConnectionError);
    expect(end.reconnectInMs).toBeUndefined();
    await closed;
    expect(await failureOf(publishing)).toBe(end.error);
    expect(await failureOf(client.subscribe('t'))).toMatchObject({ code: 'ERR_CLOSED' });
    expect(server.connections).toHaveLength(1);
  });

  it('publishes again what was not acknowledged, with DUP [MQTT-3.3.1-1], [MQTT-4.4.0-1]', async () => {
    const { client, peer, nextPeer } = await connected({ reconnect: SOON, sessionExpirySeconds: 100 });
    const publishing = client.publish('t', 'x', { qos: 1 });
    const { packetId } = await peer.next('PUBLISH');
    peer.connection.reset();
    const second = await nextPeer();
    await second.accept(undefined, true);
    expect(await second.next('PUBLISH')).toMatchObject({ packetId, dup: true, payload: '78' });
    await second.send({ type: 'PUBACK', packetId: packetId! });
    expect(await soon(publishing, 'PUBACK')).toEqual({ reasonCode: 0, reasonName: 'Success' });
  });

  it.each([
    [0x8b, true],
    [0x8e, false],
  ])(
    "by the server's DISCONNECT 0x%x has its reason; some mean to stay away",
    async (reasonCode, isWelcome) => {
      const { client, peer } = await connected({ reconnect: { firstMs: 60_000 } });
      const ended = eventOf(client, 'disconnect');
      await peer.send({ type: 'DISCONNECT', reasonCode, properties: { reasonString: 'because' } });
      const { error, reconnectInMs } = await ended;
      expect(error).toBeInstanceOf(ConnectionError);
      expect(error).toMatchObject({ code: 'ERR_DISCONNECTED_BY_SERVER', reasonCode });
      expect(error?.message).toMatch(/because$/);
      expect(reconnectInMs !== undefined).toBe(isWelcome);
    },
  );

  it('for want of a PINGRESP is told as a timeout [MQTT-3.1.2-22]', async () => {
    const { client, peer } = await connected({ keepAliveSeconds: 1, pingTimeoutMs: 10, reconnect: false });
    const ended = eventOf(client, 'disconnect');
    await peer.next('PINGREQ');
    const { error } = await ended;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error?.code).toBe('ERR_KEEP_ALIVE_TIMEOUT');
  });
});
