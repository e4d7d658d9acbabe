/**
 * Enhanced authentication: a method that takes its time, one that throws, one whose answer comes too late.
 */
import { describe, expect, it } from 'vitest';
import { ConnectionError, MotemqError } from '../../targets/node/index.ts';
import type { ConnectOptions } from '../../targets/node/index.ts';
import type { Authentication } from '../../src/client/options.ts';
import { afterIo } from '../support/wait.ts';
import { clientOf, eventOf, failureOf, hexOf, serve, soon } from './played-server.ts';
import type { Peer } from './played-server.ts';

const METHOD = { authenticationMethod: 'M' };
const bytes = (text: string): Uint8Array => Buffer.from(text);

/** A method that answers what it is asked, and tells it. */
function methodOf(parts: Partial<Authentication> = {}): Authentication & { told: string[] } {
  const told: string[] = [];
  return {
    method: 'M',
    told,
    start: () => bytes('start'),
    next: (data) => bytes(`next ${Buffer.from(data).toString()}`),
    finish: (data) => void told.push(data === undefined ? 'nothing' : Buffer.from(data).toString()),
    ...parts,
  };
}

async function opened(authentication: Authentication, options: ConnectOptions = {}) {
  const served = await serve();
  const client = clientOf(served.url, { ...options, authentication });
  return { ...served, client, peer: await served.nextPeer() };
}

/** The server goes on with `text`, and hears the answer. */
async function exchange(peer: Peer, text: string): Promise<string | undefined> {
  const properties = { ...METHOD, authenticationData: hexOf(text) };
  await peer.send({ type: 'AUTH', reasonCode: 0x18, properties });
  const answer = await peer.next('AUTH');
  expect(answer).toMatchObject({ reasonCode: 0x18, properties: METHOD }); // [MQTT-4.12.0-3], [MQTT-4.12.0-5]
  return answer.properties?.authenticationData;
}

async function connectedWith(authentication: Authentication, options: ConnectOptions = {}) {
  const pair = await opened(authentication, options);
  await pair.peer.accept(METHOD);
  await soon(pair.client.firstConnect, 'CONNACK');
  return pair;
}

describe('a method', () => {
  it('is asked step by step, and has its time [MQTT-4.12.0-3], [MQTT-4.12.0-5]', async () => {
    const later = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(() => resolve(value)));
    const method = methodOf({
      start: () => later(bytes('start')),
      next: (data) => later(data.length === 1 ? null : bytes(`later ${data.length}`)),
    });
    const { client, peer } = await opened(method);
    const connect = await peer.next('CONNECT');
    expect(connect.properties).toMatchObject({ ...METHOD, authenticationData: hexOf('start') });
    expect(await exchange(peer, 'four')).toBe(hexOf('later 4'));
    expect(await exchange(peer, '1')).toBeUndefined();
    const properties = { ...METHOD, authenticationData: hexOf('welcome') };
    await peer.send({ type: 'CONNACK', reasonCode: 0, properties });
    await soon(client.firstConnect, 'CONNACK');
    expect(method.told).toEqual(['welcome']);
  });

  it('may have much to say, and nothing', async () => {
    const big = new Uint8Array(20_000).fill(0x61);
    const { client, peer } = await opened(methodOf({ start: () => big, next: () => big }));
    expect((await peer.next('CONNECT')).properties?.authenticationData).toHaveLength(40_000);
    expect(await exchange(peer, 'go on')).toHaveLength(40_000);
    await peer.send({ type: 'CONNACK', reasonCode: 0, properties: METHOD });
    await soon(client.firstConnect, 'CONNACK');
    const silent = await opened(methodOf({ start: () => null }));
    expect((await silent.peer.next('CONNECT')).properties?.authenticationData).toBeUndefined();
  });

  it.each(['start', 'next', 'finish'] as const)(
    'whose %s throws ends the client, with 0x83',
    async (where) => {
      const mistake = new Error('I do not trust it');
      const fail = (): never => {
        throw mistake;
      };
      let begin = (): void => {};
      // Not before the test listens.
      const start = new Promise<void>((resolve) => (begin = resolve)).then(() => bytes('start'));
      const parts = { start: () => start, [where]: where === 'start' ? () => start.then(fail) : fail };
      const { client, peer, server } = await opened(methodOf(parts), { reconnect: { firstMs: 1 } });
      const told: string[] = [];
      client.on('connect', () => told.push('connect'));
      client.on('disconnect', ({ error, reconnectInMs }) => told.push(`${error?.code} ${reconnectInMs}`));
      const closed = eventOf(client, 'close');
      const failure = failureOf(client.firstConnect);
      begin();
      if (where !== 'start') {
        await peer.next('CONNECT');
        const properties = { ...METHOD, authenticationData: '00' };
        await peer.send(
          where === 'next'
            ? { type: 'AUTH', reasonCode: 0x18, properties }
            : { type: 'CONNACK', reasonCode: 0, properties },
        );
        expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x83 });
      }
      const error = await failure;
      expect(error).toBeInstanceOf(ConnectionError);
      expect(error).toMatchObject({ code: 'ERR_AUTHENTICATION', cause: mistake });
      await closed;
      await peer.closed();
      if (where === 'start') expect(peer.received).toEqual([]);
      expect(told).toEqual(['ERR_AUTHENTICATION undefined']);
      expect(server.connections).toHaveLength(1);
      expect(await failureOf(client.publish('t', 'x'))).toMatchObject({ code: 'ERR_CLOSED' });
    },
  );

  it('with more to say than a packet can hold is one that fails', async () => {
    const { client } = await opened(methodOf({ start: () => new Uint8Array(65536) }));
    const error = await failureOf(client.firstConnect);
    expect(error).toMatchObject({ code: 'ERR_AUTHENTICATION', cause: { code: 'ERR_OUT_OF_RANGE' } });
  });

  it('that never answers does not hide that time is up, or that the server went away', async () => {
    const never = methodOf({ start: () => new Promise(() => {}) });
    const slow = await opened(never, { connectTimeoutMs: 15 });
    expect(await failureOf(slow.client.firstConnect)).toMatchObject({ code: 'ERR_CONNECT_TIMEOUT' });
    expect(slow.peer.received).toEqual([]);
    const left = await opened(never);
    left.peer.connection.end();
    expect(await failureOf(left.client.firstConnect)).toMatchObject({ code: 'ERR_CONNECTION' });
  });

  it('is not heard any more on the next connection', async () => {
    const starts: ((data: Uint8Array) => void)[] = [];
    const method = methodOf({ start: () => new Promise((resolve) => starts.push(resolve)) });
    const reconnect = { firstMs: 1, maximumMs: 1 };
    const { client, peer, nextPeer } = await opened(method, { retryFirstConnect: true, reconnect });
    peer.connection.end();
    const second = await nextPeer();
    await soon(
      new Promise<void>((resolve) => {
        const look = (): void => {
          if (starts.length === 2) resolve();
          else setImmediate(look);
        };
        look();
      }),
      'the second question',
    );
    starts[0](bytes('stale'));
    for (let i = 0; i < 5; i++) await afterIo();
    expect(second.received).toEqual([]);
    starts[1](bytes('fresh'));
    const { properties } = await second.next('CONNECT');
    expect(properties?.authenticationData).toBe(hexOf('fresh'));
    await second.send({ type: 'CONNACK', reasonCode: 0, properties: METHOD });
    await soon(client.firstConnect, 'CONNACK');
  });

  it('of another name in the answer is the server’s mistake [MQTT-4.12.0-5]', async () => {
    const { client, peer } = await opened(methodOf());
    await peer.accept({ authenticationMethod: 'other' });
    expect(await failureOf(client.firstConnect)).toMatchObject({ code: 'ERR_PROTOCOL', reasonCode: 0x82 });
  });

  it('that the server does not take is a refusal', async () => {
    const { client, peer } = await opened(methodOf());
    await peer.next('CONNECT');
    await peer.send({ type: 'CONNACK', reasonCode: 0x8c });
    expect(await failureOf(client.firstConnect)).toMatchObject({
      code: 'ERR_CONNECTION_REFUSED',
      reasonName: 'Bad authentication method',
    });
  });
});

describe('a re-authentication', () => {
  it('begins anew on the living connection, and resolves when it is accepted [MQTT-4.12.1-1]', async () => {
    const method = methodOf();
    const { client, peer } = await connectedWith(method);
    const again = client.reauthenticate();
    const properties = { ...METHOD, authenticationData: hexOf('start') };
    expect(await peer.next('AUTH')).toMatchObject({ reasonCode: 0x19, properties });
    expect(await failureOf(client.reauthenticate())).toMatchObject({ code: 'ERR_AUTHENTICATING' });
    expect(await exchange(peer, 'prove it')).toBe(hexOf('next prove it'));
    // The connection works meanwhile.
    await client.publish('t', 'x');
    await peer.next('PUBLISH');
    await peer.send({
      type: 'AUTH',
      reasonCode: 0,
      properties: { ...METHOD, authenticationData: hexOf('ok') },
    });
    await soon(again, 'the last AUTH');
    expect(method.told).toEqual(['nothing', 'ok']);
  });

  it('that the server refuses rejects with its DISCONNECT [MQTT-4.12.1-2]', async () => {
    const { client, peer } = await connectedWith(methodOf(), { reconnect: false });
    const again = failureOf(client.reauthenticate());
    await peer.next('AUTH');
    await peer.send({ type: 'DISCONNECT', reasonCode: 0x87 });
    expect(await again).toMatchObject({ code: 'ERR_DISCONNECTED_BY_SERVER', reasonCode: 0x87 });
  });

  it('in which the method throws ends the client', async () => {
    const mistake = new Error('no');
    const method = methodOf({ next: () => Promise.reject(mistake) });
    const { client, peer } = await connectedWith(method);
    const closed = eventOf(client, 'close');
    const again = failureOf(client.reauthenticate());
    await peer.next('AUTH');
    await peer.send({ type: 'AUTH', reasonCode: 0x18, properties: METHOD });
    expect(await again).toMatchObject({ code: 'ERR_AUTHENTICATION', cause: mistake });
    expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x83 });
    await closed;
  });

  it('needs a connection, and a method', async () => {
    const { client } = await connectedWith(methodOf());
    await client.disconnect();
    const error = await failureOf(client.reauthenticate());
    expect(error).toBeInstanceOf(MotemqError);
    expect(error.code).toBe('ERR_NOT_CONNECTED');
  });
});
