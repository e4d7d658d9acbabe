/**
 * Chapter 6 asked of a broker: MQTT over WebSocket.
 */
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { createWebSocketStream, WebSocket, type ClientOptions } from 'ws';
import { describeWith, type BrokerUnderTest } from '../broker-under-test.ts';
import { connectHex, packetHex, textHex } from '../bytes.ts';
import { ANSWER_MS_MAX, hexOf, Peer, PROTOCOL_VERSIONS, uniqueClientId, uniqueTopic } from '../peer.ts';
import { bytesOfHex } from '../../support/scripted-server.ts';
import { withDeadline } from '../../support/wait.ts';

/** An open WebSocket and the peer that speaks over it. What the test sends on the WebSocket is a message of its own. */
interface Opened {
  readonly webSocket: WebSocket;
  readonly peer: Peer;
}

async function open(
  broker: BrokerUnderTest,
  version: 4 | 5 = 5,
  options: ClientOptions = {},
): Promise<Opened> {
  const webSocket = new WebSocket(`ws://${broker.host}:${broker.broker!.wsPort}/`, 'mqtt', options);
  await withDeadline(once(webSocket, 'open'), ANSWER_MS_MAX, 'the WebSocket to open');
  const stream = createWebSocketStream(webSocket);
  return { webSocket, peer: new Peer(stream, broker.isOurs, version) };
}

/** How the server answers a request for a WebSocket with these subprotocols: the status when it does not give one. */
async function openingOf(
  broker: BrokerUnderTest,
  subprotocols: string[],
  path = '/',
): Promise<string | number> {
  const webSocket = new WebSocket(`ws://${broker.host}:${broker.broker!.wsPort}${path}`, subprotocols);
  webSocket.on('error', () => {}); // of the answer that is waited for
  try {
    return await withDeadline(
      Promise.race([
        once(webSocket, 'open').then(() => webSocket.protocol),
        once(webSocket, 'unexpected-response').then(([, response]) => Number(response.statusCode)),
      ]),
      ANSWER_MS_MAX,
      'the opening handshake',
    );
  } finally {
    webSocket.terminate();
  }
}

describeWith({ wsPort: 0 }, '6 MQTT over WebSocket', (broker) => {
  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-6.0.0-1] packets come in binary frames, and go in them, version %i',
    async (version) => {
      const { webSocket, peer } = await open(broker, version);
      const kinds: boolean[] = [];
      webSocket.on('message', (_bytes, isBinary) => kinds.push(isBinary));
      await peer.requestConnection();
      const topicName = uniqueTopic();
      await peer.subscribe(topicName, { qos: 2 });
      await peer.publish({ topicName, qos: 2, payload: hexOf('over WebSocket') });
      expect(await peer.nextOf('PUBLISH')).toMatchObject({ payload: hexOf('over WebSocket') });
      await peer.disconnect();
      expect(kinds.length).toBeGreaterThan(0);
      expect(kinds).not.toContain(false);
    },
  );

  it('[MQTT-6.0.0-1] closes when a text frame comes, which is not taken', async () => {
    const listener = await Peer.connect(broker);
    const willTopic = uniqueTopic();
    await listener.subscribe(`${willTopic}/#`);
    const { webSocket, peer } = await open(broker);
    await peer.requestConnection({ willTopic: `${willTopic}/will` });
    const publish = packetHex(0x30, textHex(`${willTopic}/text`), '00', hexOf('text'));
    webSocket.send(bytesOfHex(publish), { binary: false });
    await peer.expectClosed();
    // It ended without DISCONNECT from the client.
    expect(await listener.nextOf('PUBLISH')).toMatchObject({ topicName: `${willTopic}/will` });
  });

  it('[MQTT-6.0.0-1] closes when CONNECT comes in a text frame', async () => {
    const { webSocket, peer } = await open(broker);
    webSocket.send(bytesOfHex(connectHex({ payload: [textHex(uniqueClientId())] })), { binary: false });
    await peer.expectClosedSilently();
  });

  it('[MQTT-6.0.0-2] takes several packets in one frame', async () => {
    const { webSocket, peer } = await open(broker);
    const topic = textHex(uniqueTopic());
    const packets = [
      connectHex({ payload: [textHex(uniqueClientId())] }),
      packetHex(0x82, '0001', '00', topic, '00'),
      packetHex(0x30, topic, '00', '61'),
      packetHex(0x30, topic, '00', '62'),
      'c000',
    ];
    webSocket.send(bytesOfHex(packets.join('')));
    await peer.nextOf('CONNACK');
    await peer.nextOf('SUBACK');
    expect(await peer.nextOf('PUBLISH')).toMatchObject({ payload: '61' });
    expect(await peer.nextOf('PUBLISH')).toMatchObject({ payload: '62' });
    await peer.nextOf('PINGRESP');
  });

  it('[MQTT-6.0.0-2] takes packets whose bytes are in frames of their own, empty ones among them', async () => {
    const { webSocket, peer } = await open(broker);
    const topic = textHex(uniqueTopic());
    const packets = [
      connectHex({ payload: [textHex(uniqueClientId())] }),
      packetHex(0x82, '0001', '00', topic, '00'),
      packetHex(0x30, topic, '00', '61'),
    ];
    for (const byte of bytesOfHex(packets.join(''))) {
      webSocket.send(Uint8Array.of(byte));
      webSocket.send(new Uint8Array(0));
    }
    await peer.nextOf('CONNACK');
    await peer.nextOf('SUBACK');
    expect(await peer.nextOf('PUBLISH')).toMatchObject({ payload: '61' });
  });

  it('[MQTT-6.0.0-2] takes frames that begin in the middle of a packet and end in the next', async () => {
    const { webSocket, peer } = await open(broker);
    await peer.requestConnection();
    const topicName = uniqueTopic();
    await peer.subscribe(topicName);
    const publish = packetHex(0x30, textHex(topicName), '00', hexOf('a'.repeat(300)));
    const bytes = bytesOfHex(publish.repeat(7));
    const step = Math.floor(bytes.length / 3) - 5;
    for (let at = 0; at < bytes.length; at += step) webSocket.send(bytes.subarray(at, at + step));
    expect(await peer.drain()).toHaveLength(7);
  });

  it('[MQTT-6.0.0-2] takes a message in fragments', async () => {
    const { webSocket, peer } = await open(broker);
    const bytes = bytesOfHex(connectHex({ payload: [textHex(uniqueClientId())] }) + 'c000');
    webSocket.send(bytes.subarray(0, 5), { fin: false });
    webSocket.send(bytes.subarray(5, 11), { fin: false });
    webSocket.send(bytes.subarray(11), { fin: true });
    await peer.nextOf('CONNACK');
    await peer.nextOf('PINGRESP');
  });

  it('[MQTT-6.0.0-2] carries messages of many kibibytes', async () => {
    const { peer } = await open(broker);
    await peer.requestConnection();
    const topicName = uniqueTopic();
    await peer.subscribe(topicName);
    const payload = '0123456789abcdef'.repeat(50_000);
    await peer.publish({ topicName, payload });
    const message = await peer.nextOf('PUBLISH');
    expect(message.payload === payload).toBe(true);
  });

  it.each([
    ['alone', ['mqtt']],
    ['behind another', ['chat', 'mqtt']],
    ['before another', ['mqtt', 'mqttv3.1']],
  ])('[MQTT-6.0.0-4] chooses the subprotocol mqtt, offered %s', async (_what, subprotocols) => {
    expect(await openingOf(broker, subprotocols)).toBe('mqtt');
  });

  it.each([
    ['none', []],
    ['others', ['chat', 'mqtts']],
  ])(
    '[MQTT-6.0.0-4] chooses no other: a client that offers %s does not get mqtt',
    async (_what, subprotocols) => {
      // Which status refuses it is left to the server; so is whether it does, as long as it names no other subprotocol.
      const opening = await openingOf(broker, subprotocols);
      if (typeof opening === 'number') expect(opening).toBeGreaterThanOrEqual(400);
      else expect(opening).toBe('');
    },
  );

  it('a client of WebSocket and one of TCP hear each other', async () => {
    const { peer } = await open(broker);
    await peer.requestConnection();
    const other = await Peer.connect(broker);
    const topic = uniqueTopic();
    await peer.subscribe(`${topic}/a`);
    await other.subscribe(`${topic}/b`);
    await peer.publish({ topicName: `${topic}/b`, payload: '01' });
    await other.publish({ topicName: `${topic}/a`, payload: '02' });
    expect(await other.nextOf('PUBLISH')).toMatchObject({ payload: '01' });
    expect(await peer.nextOf('PUBLISH')).toMatchObject({ payload: '02' });
  });

  it('[MQTT-4.13.1-1] errors and keep alive end it as they end others', async () => {
    const { peer } = await open(broker);
    await peer.requestConnection();
    peer.sendBytes('0000');
    await peer.expectDisconnect(0x81, 0x82);
    const silent = await open(broker);
    await silent.peer.requestConnection({ keepAlive: 1 });
    await silent.peer.expectDisconnect(0x8d);
  });

  it('[MQTT-3.1.4-3] a connection over TCP takes one over WebSocket over', async () => {
    const { peer } = await open(broker);
    await peer.requestConnection();
    await Peer.connect(broker, { clientId: peer.clientId });
    await peer.expectDisconnect(0x8e);
  });

  it('[MQTT-3.1.2-8] the will of a WebSocket that vanishes is published', async () => {
    const listener = await Peer.connect(broker);
    const willTopic = uniqueTopic();
    await listener.subscribe(willTopic);
    const { webSocket, peer } = await open(broker);
    await peer.requestConnection({ willTopic });
    webSocket.terminate();
    expect(await listener.nextOf('PUBLISH')).toMatchObject({ topicName: willTopic });
  });
});

describeWith({ wsPort: 0, webSocketPath: '/mqtt' }, 'a path of its own', (broker) => {
  it('[MQTT-6.0.0-4] is where MQTT is, and nowhere else', async () => {
    expect(await openingOf(broker, ['mqtt'], '/mqtt')).toBe('mqtt');
    expect(await openingOf(broker, ['mqtt'], '/mqtt?a=b')).toBe('mqtt');
    expect(await openingOf(broker, ['mqtt'], '/')).toBe(404);
    expect(await openingOf(broker, ['mqtt'], '/mqtt2')).toBe(404);
  });
});
