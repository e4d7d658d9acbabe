/**
 * Section 3.1.4 asked of a broker: what it does with a CONNECT that is well made: takes over, lets in, refuses, or waits.
 */
import { describe, expect, it } from 'vitest';
import type { ConnectAttempt, Hooks, Verdict } from '../../../sim/broker/hooks.ts';
import { describeBroker, describeWith } from '../broker-under-test.ts';
import { connectHex, exchange, packetHex, textHex } from '../bytes.ts';
import { hexOf, Peer, PROTOCOL_VERSIONS, uniqueClientId, uniqueTopic } from '../peer.ts';

function connectWith(protocolVersion: number, flags: number): string {
  return connectHex({ protocolVersion, flags, payload: [textHex(uniqueClientId())] });
}

describeBroker('3.1.4 CONNECT actions', (broker) => {
  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.4-3] [v3.1.1 MQTT-3.1.4-2] closes the connection of a client that connects again, version %i',
    async (protocolVersion) => {
      const first = await Peer.connect(broker, { protocolVersion });
      const { clientId } = first;
      const second = await Peer.connect(broker, { protocolVersion, clientId });
      await first.expectDisconnect(0x8e);
      expect(await second.drain()).toEqual([]);
    },
  );

  it('[MQTT-3.1.4-3] whichever versions the two speak', async () => {
    const first = await Peer.connect(broker, { protocolVersion: 4 });
    const { clientId } = first;
    const second = await Peer.connect(broker, { clientId });
    await first.expectClosedSilently();
    const third = await Peer.connect(broker, { protocolVersion: 4, clientId });
    await second.expectDisconnect(0x8e);
    expect(await third.drain()).toEqual([]);
  });

  it('[MQTT-3.1.3-2] a client that connects with another Client Identifier is another', async () => {
    const properties = { sessionExpiryInterval: 60 };
    const one = await Peer.connect(broker, { properties });
    const other = await Peer.connect(broker, { properties });
    const topic = uniqueTopic();
    await one.subscribe(`${topic}/one`);
    await other.subscribe(`${topic}/other`);
    // Told apart by case too, and by what Unicode calls equivalent.
    const clientId = uniqueClientId();
    const alike = [`${clientId}a\u030a`, `${clientId}\u00e5`, `${clientId.toUpperCase()}\u00e5`];
    const peers = [one, other];
    for (const each of alike) peers.push(await Peer.connect(broker, { clientId: each }));
    for (const peer of peers) expect(await peer.drain()).toEqual([]);
    await one.disconnect();
    const again = await Peer.connect(broker, { clientId: one.clientId, cleanStart: false, properties });
    await again.publish({ topicName: `${topic}/other` });
    await again.publish({ topicName: `${topic}/one` });
    expect(await again.nextOf('PUBLISH')).toMatchObject({ topicName: `${topic}/one` });
  });

  it('[MQTT-3.1.4-6] does nothing with what follows a CONNECT that it rejects', async () => {
    const subscriber = await Peer.connect(broker);
    const topicName = uniqueTopic();
    await subscriber.subscribe(topicName);
    const publish = packetHex(0x30, textHex(topicName), '00', hexOf('from the rejected'));
    await exchange(broker, connectWith(5, 0x03) + publish);
    await exchange(broker, connectHex({ protocolName: 'MQTX', payload: [textHex('a')] }) + publish);
    const publisher = await Peer.connect(broker);
    await publisher.publish({ topicName, payload: hexOf('from the accepted') });
    expect(await subscriber.nextOf('PUBLISH')).toMatchObject({ payload: hexOf('from the accepted') });
  });

  it('[MQTT-3.1.4-6] takes what follows a CONNECT that it accepts, before its CONNACK is out', async () => {
    const subscriber = await Peer.connect(broker);
    const topicName = uniqueTopic();
    await subscriber.subscribe(topicName);
    const peer = await Peer.open(broker);
    peer.sendBytes(connectWith(5, 0x02) + packetHex(0x30, textHex(topicName), '00', '61') + 'c000');
    await peer.nextOf('CONNACK');
    await peer.nextOf('PINGRESP');
    expect(await subscriber.nextOf('PUBLISH')).toMatchObject({ payload: '61' });
  });
});

function judge({ userName, password }: ConnectAttempt): Verdict {
  if (userName === null) return { reasonCode: 0x87 };
  const isKnown = userName === 'alice' && new TextDecoder().decode(password ?? undefined) === 'secret';
  return { reasonCode: isKnown ? 0 : 0x86 };
}

const judges: [what: string, authenticate: NonNullable<Hooks['authenticate']>][] = [
  ['at once', judge],
  ['later', (attempt) => new Promise((resolve) => setTimeout(() => resolve(judge(attempt)), 10))],
];

for (const [what, authenticate] of judges) {
  describeWith({ hooks: { authenticate } }, `3.1.4 CONNECT actions: authentication, ${what}`, (broker) => {
    it.each(PROTOCOL_VERSIONS)('[MQTT-3.1.4-2] lets in who it knows, version %i', async (protocolVersion) => {
      const fields = { protocolVersion, userName: 'alice', password: hexOf('secret') };
      const peer = await Peer.connect(broker, fields);
      expect(await peer.drain()).toEqual([]);
    });

    it.each([
      {
        what: 'a wrong password',
        userName: 'alice',
        password: hexOf('Secret'),
        reasonCode: 0x86,
        returnCode: 4,
      },
      { what: 'no password', userName: 'alice', password: undefined, reasonCode: 0x86, returnCode: 4 },
      { what: 'no user name', userName: undefined, password: undefined, reasonCode: 0x87, returnCode: 5 },
    ])(
      '[MQTT-3.1.4-2] [MQTT-4.13.2-1] closes on $what',
      async ({ userName, password, reasonCode, returnCode }) => {
        const peer = await Peer.open(broker);
        peer.send({ type: 'CONNECT', clientId: uniqueClientId(), userName, password });
        await peer.expectRejected(reasonCode);

        const old = await Peer.open(broker, 4);
        old.send({ type: 'CONNECT', protocolVersion: 4, clientId: uniqueClientId(), userName, password });
        await old.expectRefusal(returnCode);
      },
    );

    it.each(PROTOCOL_VERSIONS)(
      '[MQTT-3.1.4-6] [v3.1.1 MQTT-3.1.4-5] does nothing with what a client sends that it does not let in, version %i',
      async (protocolVersion) => {
        const alice = { userName: 'alice', password: hexOf('secret') };
        const subscriber = await Peer.connect(broker, alice);
        const topicName = uniqueTopic();
        await subscriber.subscribe(topicName);
        const stranger = await Peer.open(broker, protocolVersion);
        stranger.send(
          { type: 'CONNECT', protocolVersion, clientId: subscriber.clientId },
          { type: 'PUBLISH', topicName, payload: hexOf('from the stranger'), retain: true },
        );
        await stranger.expectRefusal(protocolVersion === 5 ? 0x87 : 5);
        await subscriber.publish({ topicName, payload: hexOf('from alice') });
        // Nor was the client disturbed whose identifier the stranger gave.
        expect(await subscriber.nextOf('PUBLISH')).toMatchObject({ payload: hexOf('from alice') });
        const late = await Peer.connect(broker, alice);
        await late.subscribe(topicName);
        expect(await late.drain()).toEqual([]);
      },
    );

    it.each(PROTOCOL_VERSIONS)(
      '[MQTT-3.1.4-5] does what a client sends before it knows that it is let in, in its order, version %i',
      async (protocolVersion) => {
        const peer = await Peer.open(broker, protocolVersion);
        const topicName = uniqueTopic();
        const alice = { userName: 'alice', password: hexOf('secret') };
        peer.send({ type: 'CONNECT', protocolVersion, clientId: uniqueClientId(), ...alice });
        peer.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: topicName }] });
        for (let count = 0; count < 20; count++) {
          peer.send({ type: 'PUBLISH', topicName, payload: hexOf(String(count)) });
        }
        await peer.nextOf('CONNACK');
        await peer.nextOf('SUBACK');
        for (let count = 0; count < 20; count++) {
          expect(await peer.nextOf('PUBLISH')).toMatchObject({ payload: hexOf(String(count)) });
        }
      },
    );

    it('a client that is gone before it is let in has not been there', async () => {
      const listener = await Peer.connect(broker, { userName: 'alice', password: hexOf('secret') });
      const willTopic = uniqueTopic();
      await listener.subscribe(willTopic);
      const gone = await Peer.open(broker);
      const will = { willTopic, willPayload: hexOf('gone') };
      gone.send({ type: 'CONNECT', clientId: uniqueClientId(), userName: 'alice', password: '00', ...will });
      gone.destroy();
      await listener.publish({ topicName: willTopic, payload: hexOf('listener') });
      expect(await listener.nextOf('PUBLISH')).toMatchObject({ payload: hexOf('listener') });
    });
  });
}

describe('3.1.4 a CONNECT that does not come', () => {
  describeWith({ limits: { connectTimeoutMs: 100 } }, 'in time', (broker) => {
    it.each([
      ['nothing', ''],
      ['half a CONNECT', connectWith(5, 0x02).slice(0, 20)],
      ['a byte', '10'],
    ])('ends the connection without a word when there is %s', async (_what, hex) => {
      expect(await exchange(broker, hex)).toBe('');
    });

    it('and does not, when it came', async () => {
      const peer = await Peer.connect(broker);
      const late = exchange(broker, '');
      expect(await late).toBe('');
      expect(await peer.drain()).toEqual([]);
    });
  });
});
