/**
 * SCRAM-SHA-256 through the promise client over a socket, against a server written from the RFCs.
 */
import { describe, expect, it } from 'vitest';
import { ArgumentError, ConnectionError, scramSha256 } from '../../targets/node/index.ts';
import type { Client, ConnectOptions } from '../../targets/node/index.ts';
import { toHex } from '../../src/packets/inspect.ts';
import type { PropertiesObject } from '../../src/packets/inspect.ts';
import { clientOf, eventOf, failureOf, serve, soon } from '../client/played-server.ts';
import type { Peer } from '../client/played-server.ts';
import { RfcServer } from './rfc-server.ts';
import type { RfcServerOptions } from './rfc-server.ts';

const METHOD = 'SCRAM-SHA-256';

const said = (data: Uint8Array): PropertiesObject => ({
  authenticationMethod: METHOD,
  authenticationData: toHex(data),
});

/** The Authentication Data of a packet. */
function dataOf(properties: PropertiesObject | undefined): Buffer {
  expect(properties?.authenticationMethod).toBe(METHOD); // [MQTT-4.12.0-5]
  return Buffer.from(properties?.authenticationData ?? '', 'hex');
}

/** The exchange after the client's first message; returns the server's last. */
async function challenge(peer: Peer, first: Buffer, options: RfcServerOptions = {}): Promise<Buffer> {
  const server = new RfcServer(options);
  await peer.send({ type: 'AUTH', reasonCode: 0x18, properties: said(server.first(first)) });
  const auth = await peer.next('AUTH');
  expect(auth.reasonCode).toBe(0x18); // [MQTT-4.12.0-3]
  return server.final(dataOf(auth.properties));
}

/** Authenticates a connection as a server of these options does, and accepts it. */
async function accept(peer: Peer, options: RfcServerOptions = {}): Promise<Buffer> {
  const connect = await peer.next('CONNECT');
  expect(connect.userName).toBeUndefined();
  expect(connect.password).toBeUndefined();
  const final = await challenge(peer, dataOf(connect.properties), options);
  await peer.send({ type: 'CONNACK', reasonCode: 0, properties: said(final) });
  return final;
}

async function opened(password = 'pencil', options: ConnectOptions = {}) {
  const served = await serve();
  const authentication = scramSha256({ userName: 'user', password });
  const client = clientOf(served.url, { authentication, ...options });
  return { ...served, client, peer: await served.nextPeer() };
}

/** The client ended for the reason `code`, after `peer` heard DISCONNECT. */
async function expectEnd(client: Client, peer: Peer, failure: Promise<unknown>, code: string): Promise<void> {
  const error = await failureOf(failure);
  expect(error).toBeInstanceOf(ConnectionError);
  expect(error).toMatchObject({ code: 'ERR_AUTHENTICATION', cause: { code } });
  expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x83 });
  await peer.closed();
  expect(await failureOf(client.publish('t', 'x'))).toMatchObject({ code: 'ERR_CLOSED' });
}

describe('the promise client with scramSha256', () => {
  it('connects, and reconnects [MQTT-4.12.0-2], [MQTT-4.12.0-3], [MQTT-4.12.0-5]', async () => {
    const { client, peer, nextPeer } = await opened('pencil', { reconnect: { firstMs: 1, maximumMs: 1 } });
    expect((await accept(peer)).toString()).toMatch(/^v=/);
    await soon(client.firstConnect, 'CONNACK');
    const again = eventOf(client, 'connect');
    peer.connection.end();
    const second = await nextPeer();
    await accept(second);
    await again;
    // And with another salt, for which there is another key.
    const third = eventOf(client, 'connect');
    second.connection.end();
    await accept(await nextPeer(), { salt: Buffer.from('another salt'), iterations: 10_000 });
    await third;
  });

  it('normalises a password as RFC 4013 says', async () => {
    const { client, peer } = await opened('I\u00adX \u2168 e\u0301');
    await accept(peer, { password: 'IX IX \u00e9' });
    await soon(client.firstConnect, 'CONNACK');
  });

  it('is told by the server that the password is another [MQTT-4.12.0-4]', async () => {
    const { client, peer } = await opened('wrong');
    const connect = await peer.next('CONNECT');
    expect((await challenge(peer, dataOf(connect.properties))).toString()).toBe('e=invalid-proof');
    await peer.send({ type: 'CONNACK', reasonCode: 0x87 });
    expect(await failureOf(client.firstConnect)).toMatchObject({
      code: 'ERR_CONNECTION_REFUSED',
      reasonCode: 0x87,
    });
  });

  it.each<[string, (message: string) => string, string]>([
    ['changes the nonce', (message) => message.replace(/r=./, 'r=!'), 'ERR_SCRAM_NONCE'],
    ['wants few rounds', (message) => message.replace('4096', '100'), 'ERR_SCRAM_ITERATIONS'],
    ['wants too many rounds', (message) => message.replace('4096', '1000001'), 'ERR_SCRAM_ITERATIONS'],
    ['says half of it', (message) => message.slice(0, 40), 'ERR_SCRAM_MALFORMED'],
  ])('leaves a server that %s', async (_, tamperFirst, code) => {
    const { client, peer } = await opened();
    const failure = client.firstConnect;
    const connect = await peer.next('CONNECT');
    const first = new RfcServer({ tamperFirst }).first(dataOf(connect.properties));
    await peer.send({ type: 'AUTH', reasonCode: 0x18, properties: said(first) });
    await expectEnd(client, peer, failure, code);
  });

  it('sends nothing that waits to a server that does not know the password', async () => {
    const { client, peer } = await opened();
    const failure = client.firstConnect;
    const lost = [
      failureOf(client.publish('secret', 'x', { qos: 1 })),
      failureOf(client.publish('secret', 'y')),
    ];
    await accept(peer, { tamperFinal: () => `v=${'A'.repeat(43)}=` });
    await expectEnd(client, peer, failure, 'ERR_SCRAM_SERVER_SIGNATURE');
    expect(peer.receivedTypes).toEqual(['CONNECT', 'AUTH', 'DISCONNECT']);
    await Promise.all(lost);
  });

  it('does not take a CONNACK for a proof', async () => {
    const { client, peer } = await opened();
    const failure = client.firstConnect;
    const told: unknown[] = [];
    client.on('message', (message) => told.push(message));
    await peer.next('CONNECT');
    await peer.send({ type: 'CONNACK', reasonCode: 0, properties: { authenticationMethod: METHOD } });
    await peer.publish('do', 'x');
    await expectEnd(client, peer, failure, 'ERR_SCRAM_STATE');
    expect(told).toEqual([]);
  });

  it('authenticates anew [MQTT-4.12.1-1]', async () => {
    const { client, peer } = await opened();
    await accept(peer);
    await soon(client.firstConnect, 'CONNACK');
    for (const salt of ['W22ZaJ0SNY7soEsUEjb6gQ==', 'QUFBQQ==']) {
      const again = client.reauthenticate();
      const auth = await peer.next('AUTH');
      expect(auth.reasonCode).toBe(0x19);
      const final = await challenge(peer, dataOf(auth.properties), { salt: Buffer.from(salt, 'base64') });
      await peer.send({ type: 'AUTH', reasonCode: 0, properties: said(final) });
      await soon(again, 'the last AUTH');
    }
  });

  it('ends when authenticating anew fails on the server’s side [MQTT-4.12.1-2]', async () => {
    const { client, peer } = await opened();
    await accept(peer);
    await soon(client.firstConnect, 'CONNACK');
    const again = client.reauthenticate();
    const auth = await peer.next('AUTH');
    await challenge(peer, dataOf(auth.properties));
    const properties = said(Buffer.from(`v=${'A'.repeat(43)}=`));
    await peer.send({ type: 'AUTH', reasonCode: 0, properties });
    await expectEnd(client, peer, again, 'ERR_SCRAM_SERVER_SIGNATURE');
  });

  it('answers on the connection of now, not on that of a while ago', async () => {
    const { client, peer, nextPeer } = await opened('pencil', {
      retryFirstConnect: true,
      reconnect: { firstMs: 1, maximumMs: 1 },
    });
    // The key is under way when the connection ends.
    const server = new RfcServer({ iterations: 300_000 });
    const first = server.first(dataOf((await peer.next('CONNECT')).properties));
    await peer.send({ type: 'AUTH', reasonCode: 0x18, properties: said(first) });
    peer.connection.end();
    await accept(await nextPeer(), { iterations: 300_000 });
    await soon(client.firstConnect, 'CONNACK');
  });

  it('throws what cannot be at once', () => {
    const thrown = (options: Parameters<typeof scramSha256>[0]): unknown => {
      try {
        return scramSha256(options);
      } catch (error) {
        return error;
      }
    };
    const noPassword = thrown({ userName: 'u', password: '' });
    expect(noPassword).toBeInstanceOf(ArgumentError);
    expect(noPassword).toMatchObject({ code: 'ERR_SCRAM_TEXT' });
    expect(thrown({ userName: 'u', password: 'p', iterationsMax: 1 })).toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
    });
  });
});
