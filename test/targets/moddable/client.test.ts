/**
 * The promise client on a board: ECMA-419's sockets played on Node's, real TCP to a scripted server, and an engine that
 * has neither TextEncoder nor TextDecoder.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Client } from '../../../src/client/client.ts';
import { connect, createClient } from '../../../targets/moddable/client.ts';
import type { ConnectOptions } from '../../../targets/moddable/client.ts';
import { eventOf, failureOf, hexOf, serve, soon } from '../../client/played-server.ts';
import type { Peer, Served } from '../../client/played-server.ts';
import { freePort } from '../../support/wait.ts';
import { Resolver, TCP } from './ecma-tcp.ts';

vi.hoisted(() => {
  // While the modules are loaded: that is when they look.
  for (const name of ['TextEncoder', 'TextDecoder']) vi.stubGlobal(name, undefined);
});
vi.mock('timer', () => ({
  default: { set: (call: () => void, ms = 0) => setTimeout(call, ms), clear: clearTimeout },
}));
vi.mock('time', () => ({
  default: {
    get ticks() {
      return performance.now() | 0;
    },
  },
}));
vi.unstubAllGlobals();

const io: Pick<ConnectOptions, 'socket' | 'dns'> = {
  socket: { io: TCP as never },
  dns: { io: Resolver },
};

const clients: Client[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  vi.unstubAllGlobals();
});

function clientOf(server: string | ConnectOptions, options: ConnectOptions = {}): Client {
  const client = createClient(server, { clientId: 'c', ...io, ...options });
  clients.push(client);
  return client;
}

interface Pair extends Served {
  client: Client;
  peer: Peer;
}

async function connected(options: ConnectOptions = {}): Promise<Pair> {
  const served = await serve(options.protocol === '3.1.1' ? 4 : 5);
  const client = clientOf(served.url, options);
  const peer = await served.nextPeer();
  await peer.accept();
  await soon(client.firstConnect, 'CONNACK');
  return { ...served, client, peer };
}

describe('connecting', () => {
  it('to a URL, with user name and password from it', async () => {
    const { url, nextPeer } = await serve();
    clientOf(url.replace('//', '//me:s%20cret@'));
    expect(await (await nextPeer()).accept()).toMatchObject({
      clientId: 'c',
      userName: 'me',
      password: hexOf('s cret'),
      properties: { maximumPacketSize: 4096, topicAliasMaximum: 8 },
    });
  });

  it('to a host and port, with the sockets of the device', async () => {
    const { server, nextPeer } = await serve(4);
    vi.stubGlobal('device', { network: { mqtt: io } });
    const connecting = connect({ host: server.host, port: server.port, clientId: 'c', protocol: '3.1.1' });
    expect(await (await nextPeer()).accept()).toMatchObject({ protocolVersion: 4, clientId: 'c' });
    const client = await soon(connecting, 'CONNACK');
    clients.push(client);
    expect(client.isConnected).toBe(true);
  });

  it('with TLS uses the sockets that are for it', async () => {
    const { server, nextPeer } = await serve();
    vi.stubGlobal('device', { network: { mqtts: io } });
    const client = createClient(`mqtts://${server.host}:${server.port}`, { clientId: 'c' });
    clients.push(client);
    await (await nextPeer()).accept();
    await soon(client.firstConnect, 'CONNACK');
  });

  it.each([
    ['no host', { port: 1 }, /must be a host/],
    ['no socket', { host: 'broker', socket: undefined }, /device\.network\.mqtt/],
    ['a socket that is none', { host: 'broker', socket: {} }, /device\.network\.mqtt/],
    ['an option that is wrong', { host: 'broker', keepAliveSeconds: -1 }, /keepAliveSeconds/],
    ['a window too small', { host: 'broker', receiveWindowBytes: 10 }, /receiveWindowBytes/],
  ])('throws for %s', (_, options, message) => {
    expect(() => createClient({ ...io, ...options } as ConnectOptions)).toThrow(message);
  });

  it('rejects when nobody listens', async () => {
    const port = await freePort();
    const error = await failureOf(connect({ host: '127.0.0.1', port, ...io }));
    expect(error).toMatchObject({ name: 'ConnectionError', code: 'ERR_CONNECTION' });
    expect(error.message).toContain(`127.0.0.1:${port}`);
  });

  it('rejects when the host is not found', async () => {
    const error = await failureOf(connect('mqtt://broker.invalid', io));
    expect(error.message).toContain('broker.invalid');
  });

  it('comes back when the server has closed', async () => {
    const { client, peer, nextPeer } = await connected({ reconnect: { firstMs: 1 } });
    const gone = eventOf(client, 'disconnect');
    peer.connection.end();
    await gone;
    const back = eventOf(client, 'connect');
    await (await nextPeer()).accept();
    await back;
  });

  it('comes back at once when the network does', async () => {
    const { client, peer, nextPeer } = await connected({ reconnect: { firstMs: 3_600_000, maximumMs: 1e9 } });
    const gone = eventOf(client, 'disconnect');
    client.driver.drop(new Error('no Wi-Fi'));
    expect((await gone).error).toMatchObject({ code: 'ERR_CONNECTION', message: 'no Wi-Fi' });
    await peer.closed();
    client.driver.retry();
    const back = eventOf(client, 'connect');
    await (await nextPeer()).accept();
    await back;
    client.driver.retry(); // which is nothing to a client that is connected
    expect(client.isConnected).toBe(true);
  });

  it('may be given up by a listener, and goes on', async () => {
    const { client, peer, nextPeer } = await connected({ reconnect: { firstMs: 1 } });
    const gone = eventOf(client, 'disconnect');
    client.on('message', () => client.driver.drop());
    await peer.publish('t');
    await gone;
    await (await nextPeer()).accept();
  });
});

describe('messages', () => {
  it('go out and come in as text', async () => {
    const { client, peer } = await connected();
    const published = client.publish('a/ä', 'häß \0 \u{10400}', { qos: 1 });
    const { packetId, topicName, payload } = await peer.next('PUBLISH');
    expect([topicName, payload]).toEqual(['a/ä', hexOf('häß \0 \u{10400}')]);
    await peer.send({ type: 'PUBACK', packetId: packetId! });
    await soon(published, 'PUBACK');
    const subscribing = client.subscribe('b/#');
    await peer.grant();
    const messages = await soon(subscribing, 'SUBACK');
    await peer.publish('b/ö', 'zurück \u{10400}', { contentType: 'ß' });
    await peer.send({ type: 'PUBLISH', topicName: 'b', payload: '61ff62' });
    const received: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const { value: message } = await soon(messages.next(), 'a message');
      received.push([message!.topicName, message!.text(), message!.properties.contentType]);
    }
    expect(received).toEqual([
      ['b/ö', 'zurück \u{10400}', 'ß'],
      ['b', 'a\ufffdb', undefined],
    ]);
  });

  it('longer than the window come whole', async () => {
    const { client, peer } = await connected();
    const text = Array.from({ length: 3000 }, (_, i) => String(i % 10)).join('');
    const come = eventOf(client, 'message');
    await peer.publish('t', text);
    expect((await come).text()).toBe(text);
    expect(client.driver.session.receive.bytes.length).toBeLessThanOrEqual(1024);
  });

  it('are held up, and not lost, while nobody takes them', async () => {
    const { client, peer } = await connected();
    const subscribing = client.subscribe('t', { bufferedMessagesMax: 2 });
    await peer.grant();
    const messages = await soon(subscribing, 'SUBACK');
    const texts = Array.from({ length: 100 }, (_, i) => `${i} ${'x'.repeat(100)}`);
    for (const text of texts) await peer.publish('t', text);
    const received: string[] = [];
    while (received.length < texts.length) {
      received.push((await soon(messages.next(), `message ${received.length}`)).value!.text());
    }
    expect(received).toEqual(texts);
  });

  it('are answered', async () => {
    const { client, peer } = await connected();
    const answered = client.request('ask', 'what?');
    const { subscriptions } = await peer.grant();
    const { properties } = await peer.next('PUBLISH');
    expect(subscriptions[0].topicFilter).toBe(properties!.responseTopic);
    await peer.publish(properties!.responseTopic!, 'that', { correlationData: properties!.correlationData });
    expect((await soon(answered, 'the answer')).text()).toBe('that');
  });

  it('of one turn go out together', async () => {
    const { client, peer } = await connected();
    const written = vi.spyOn(TCP.prototype, 'write');
    await Promise.all(Array.from({ length: 10 }, (_, i) => client.publish('t', `${i}`)));
    for (let i = 0; i < 10; i++) expect((await peer.next('PUBLISH')).payload).toBe(hexOf(`${i}`));
    expect(written.mock.calls.length).toBe(1);
    written.mockRestore();
  });

  it('that find no room are refused, and buffers stay as small as a board wants them', async () => {
    const { client, peer } = await connected();
    const outcomes = Array.from({ length: 100 }, () =>
      client.publish('topic', 'x'.repeat(40), { qos: 1 }).then(
        () => 'done',
        (error: unknown) => (error as { code: string }).code,
      ),
    );
    const serving = (async () => {
      for (;;) {
        const { packetId } = await peer.next('PUBLISH');
        await peer.send({ type: 'PUBACK', packetId: packetId! });
        const { outbox, inflight } = client.driver.session.state;
        expect(outbox.bytes.length).toBeLessThanOrEqual(1024);
        expect(client.driver.session.transmit.bytes.length).toBeLessThanOrEqual(512);
        expect(inflight.used).toBeLessThanOrEqual(16);
      }
    })();
    const told = await soon(Promise.race([Promise.all(outcomes), serving]), 'all outcomes');
    client.destroy();
    expect((await failureOf(serving)).name).toBe('ClientClosedError');
    expect(new Set(told)).toEqual(new Set(['done', 'ERR_NO_SPACE']));
    expect(told[0]).toBe('done');
  });
});

describe('buffers', () => {
  it('are small, and stay so when a message is not', async () => {
    const { client, peer } = await connected();
    const { state, transmit } = client.driver.session;
    const published = client.publish('t', 'x'.repeat(700));
    expect((await peer.next('PUBLISH')).payload).toBe(hexOf('x'.repeat(700)));
    await soon(published, 'the message on its way');
    expect(transmit.bytes.length).toBeLessThanOrEqual(512);
    expect(state.outbox.bytes.length).toBeLessThanOrEqual(1024);
    expect(state.inflight.slotsMax).toBe(16);
    expect((await failureOf(client.publish('t', 'x'.repeat(2000)))).code).toBe('ERR_PACKET_TOO_LARGE');
  });

  it('may be larger', async () => {
    const { client, peer } = await connected({ transmitBytesMax: 4096, outboxBytesMax: 0, inflightMax: 1 });
    const text = 'x'.repeat(3000);
    await soon(client.publish('t', text), 'the message on its way');
    expect((await peer.next('PUBLISH')).payload).toBe(hexOf(text));
  });
});

describe('goodbye', () => {
  it('is said after everything else', async () => {
    const { client, peer } = await connected();
    void client.publish('t', 'last');
    await soon(client.disconnect(), 'disconnect');
    await peer.next('PUBLISH');
    await peer.next('DISCONNECT');
    await peer.closed();
  });

  it('is not said when the client is destroyed', async () => {
    const { client, peer } = await connected();
    client.destroy();
    await peer.closed();
    expect(peer.receivedTypes).toEqual(['CONNECT']);
  });
});
