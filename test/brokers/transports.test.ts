/**
 * Every way to a broker: TCP, TLS with and without a certificate of the client, WebSocket with and without TLS, user
 * names and passwords; and what the client says when it is not let in.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { connect, ConnectionError, ConnectionRefusedError } from '../../targets/node/index.ts';
import type { ConnectOptions } from '../../targets/node/index.ts';
import { PASSWORD, startAedes, USERNAME } from '../support/brokers.ts';
import { eventually } from '../support/wait.ts';
import { collect, describeEveryBroker, freshName, untilCount } from './matrix.ts';
import type { Ground } from './matrix.ts';

/** Publishes to itself with QoS 2, small and large, and says goodbye. */
async function roundTrip(
  ground: Ground,
  url: string,
  options: ConnectOptions = {},
  byteLength = 300_000,
): Promise<void> {
  const client = await ground.connectTo(url, options);
  const topic = freshName('transport');
  const messages = await collect(client, topic, { qos: 2 });
  const large = Buffer.alloc(byteLength, 'motemq');
  await client.publish(topic, 'x', { qos: 2 });
  await client.publish(topic, large, { qos: 2 });
  await untilCount(messages, 2);
  expect(messages[0].text()).toBe('x');
  expect(Buffer.compare(messages[1].payload, large)).toBe(0);
  expect(client.driver.transport.bytesIn).toBeGreaterThan(large.length);
  expect(client.driver.transport.bytesOut).toBeGreaterThan(large.length);
  await client.disconnect();
}

/** The error that connecting ends in. */
async function refusal(ground: Ground, url: string, options: ConnectOptions = {}): Promise<ConnectionError> {
  const connecting = connect(url, { protocol: ground.protocol, reconnect: false, ...options });
  const outcome: unknown = await connecting.then(
    () => 'connected',
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(ConnectionError);
  return outcome as ConnectionError;
}

describeEveryBroker('transports', {}, (ground) => {
  const to = (scheme: string, port: number, host = '127.0.0.1') => `${scheme}://${host}:${port}`;
  const ca = () => readFileSync(ground.broker.caFile);

  it.each(['mqtt', 'tcp'])('%s: [MQTT-4.2-1]', async (scheme) => {
    await roundTrip(ground, to(scheme, ground.broker.tcpPort));
    await roundTrip(ground, to(scheme, ground.broker.tcpPort, 'localhost'));
  });

  it.each(['mqtts', 'tls', 'ssl'])('%s: with the CA, by address and by name [MQTT-4.2-1]', async (scheme) => {
    await roundTrip(ground, to(scheme, ground.broker.tlsPort), { tls: { ca: ca() } });
    await roundTrip(ground, to(scheme, ground.broker.tlsPort, 'localhost'), { tls: { ca: ca() } });
  });

  it('TLS with a certificate of the client, and not without', async () => {
    const { mutualTlsPort, clientCertificateFile, clientKeyFile } = ground.broker;
    const cert = readFileSync(clientCertificateFile);
    const key = readFileSync(clientKeyFile);
    await roundTrip(ground, to('mqtts', mutualTlsPort), { tls: { ca: ca(), cert, key } });
    const error = await refusal(ground, to('mqtts', mutualTlsPort), { tls: { ca: ca() } });
    expect(error.code).toBe('ERR_CONNECTION');
  });

  it('TLS without the CA is refused, and the error says why', async () => {
    const error = await refusal(ground, to('mqtts', ground.broker.tlsPort));
    expect(error.code).toBe('ERR_CONNECTION');
    expect(error.message).toMatch(/certificate/);
    expect(error.cause).toMatchObject({ code: expect.stringMatching(/CERT|SIGNATURE/) });
  });

  it('TLS with the CA of another is refused, and the error says why', async () => {
    const other = await startAedes();
    ground.after(() => other.stop());
    const error = await refusal(ground, to('mqtts', ground.broker.tlsPort), {
      tls: { ca: readFileSync(other.caFile) },
    });
    expect(error.message).toMatch(/certificate/);
  });

  it('TLS to another name than the certificate has is refused', async () => {
    const error = await refusal(ground, to('mqtts', ground.broker.tlsPort), {
      tls: { ca: ca(), servername: 'example.org' },
    });
    expect(error.cause).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it('TLS unverified, where that is asked for', async () => {
    await roundTrip(ground, to('mqtts', ground.broker.tlsPort), { tls: { rejectUnauthorized: false } });
  });

  it('TLS to a plain port, and plain to a TLS port, fail soon', async () => {
    const tls = await refusal(ground, to('mqtts', ground.broker.tcpPort), { tls: { ca: ca() } });
    expect(tls.code).toBe('ERR_CONNECTION');
    expect(tls.message).not.toBe('');
    const plain = await refusal(ground, to('mqtt', ground.broker.tlsPort));
    expect(plain.code).toBe('ERR_CONNECTION');
  });

  it('ws: and wss: [MQTT-4.2-1] [MQTT-6.0.0-1] [MQTT-6.0.0-2] [MQTT-6.0.0-3]', async () => {
    // Mosquitto 2.0 reads 4 KB from a WebSocket every 100 ms.
    const byteLength = ground.isMosquitto ? 6000 : 300_000;
    const [ws, wss] = [to('ws', ground.broker.wsPort), to('wss', ground.broker.wssPort)];
    await roundTrip(ground, `${ws}/mqtt`, {}, byteLength);
    await roundTrip(ground, `${wss}/mqtt`, { tls: { ca: ca() } }, byteLength);
    await roundTrip(ground, `${wss}/`, { tls: { rejectUnauthorized: false } }, byteLength);
    const error = await refusal(ground, `${to('wss', ground.broker.wssPort)}/mqtt`);
    expect(error.message).toMatch(/certificate/);
  });

  it('ws: to a port that speaks no HTTP fails soon', async () => {
    const error = await refusal(ground, `${to('ws', ground.broker.tcpPort)}/mqtt`);
    expect(error.code).toBe('ERR_CONNECTION');
  });

  it.each(['mqtts', 'ws', 'wss'] as const)('%s: reconnects the same way', async (scheme) => {
    const { tlsPort, wsPort, wssPort } = ground.broker;
    const targetPort = { mqtts: tlsPort, ws: wsPort, wss: wssPort }[scheme];
    const proxy = await ground.proxy({ targetPort, opaque: true });
    const client = await ground.connectTo(to(scheme, proxy.port), { tls: { ca: ca() } });
    const topic = freshName('again');
    const messages = await collect(client, topic, { qos: 1 });
    const isBack = new Promise((resolve) => client.once('connect', resolve));
    proxy.cutAll();
    await isBack;
    await client.publish(topic, 'x', { qos: 1 });
    await untilCount(messages, 1);
  });

  describe('the password', () => {
    const guarded = () => to('mqtt', ground.broker.passwordPort);

    it('lets in by options and by URL', async () => {
      await roundTrip(ground, guarded(), { userName: USERNAME, password: PASSWORD });
      await roundTrip(ground, guarded(), { userName: USERNAME, password: Buffer.from(PASSWORD) });
      const { passwordPort } = ground.broker;
      await roundTrip(ground, `mqtt://${USERNAME}:${encodeURIComponent(PASSWORD)}@localhost:${passwordPort}`);
    });

    it.each([
      ['a wrong password', { userName: USERNAME, password: 'a guess' }],
      ['no user name', {}],
    ])('%s is refused by reason code and not tried again', async (_what, options) => {
      const client = ground.create(options, ground.broker.passwordPort);
      const heard: unknown[] = [];
      client.on('disconnect', (end) => heard.push(end));
      client.on('reconnecting', (end) => heard.push(end));
      const closed = new Promise((resolve) => client.once('close', resolve));
      const error: unknown = await client.firstConnect.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ConnectionRefusedError);
      // Mosquitto says the same of both; the others tell a bad password from none.
      const reasonName = expect.stringMatching(/bad user name or password|not authorized/i);
      expect(error).toMatchObject({ code: 'ERR_CONNECTION_REFUSED', reasonName });
      const reasonCodes = ground.isV5 ? [0x86, 0x87] : [4, 5];
      expect(reasonCodes).toContain((error as ConnectionRefusedError).reasonCode);
      await closed;
      expect(heard).toMatchObject([{ error, reconnectInMs: undefined }]);
    });

    it('with afterRefusal a refused client comes back until it is let in', async () => {
      const client = ground.create(
        { reconnect: { firstMs: 1, maximumMs: 5, afterRefusal: true }, retryFirstConnect: true },
        ground.broker.passwordPort,
      );
      let refusals = 0;
      client.on('disconnect', ({ error }) => (refusals += error instanceof ConnectionRefusedError ? 1 : 0));
      await eventually(() => refusals >= 3, { what: 'three refusals' });
      await client.disconnect();
      await expect(client.firstConnect).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    });
  });
});
