/**
 * Message delivery retry at the server (4.4): what it sends again when a client comes back to its session, how, in which
 * order, and what it does not send again; and the exchanges that a client goes on with.
 */
import { expect, it } from 'vitest';
import type { PacketObject, PublishObject } from '../../../src/packets/inspect.ts';
import { describeBroker, describeWith, type BrokerUnderTest } from '../broker-under-test.ts';
import { hexOf, Peer, uniqueTopic, type ConnectFields } from '../peer.ts';
import {
  keptSession,
  publishesOf,
  publishOnce,
  takeMessages,
  textsOf,
  untilExpired,
  VERSIONS,
  VERSIONS_AND_QOS,
} from './messages.ts';

/** A connection with a kept session that is subscribed to a topic of its own, and one message for each QoS sent to it. */
async function receive(
  broker: BrokerUnderTest,
  protocolVersion: 4 | 5,
  ...levels: number[]
): Promise<{ peer: Peer; session: ConnectFields; topicName: string; messages: PublishObject[] }> {
  const topicName = uniqueTopic();
  const session = keptSession(protocolVersion);
  const peer = await Peer.connect(broker, session);
  await peer.subscribe(topicName, { qos: 2 });
  const published = levels.map((qos, index) => ({ topicName, qos, payload: hexOf(String(index + 1)) }));
  await publishOnce(broker, ...published);
  const messages: PublishObject[] = [];
  for (const _ of levels) messages.push(await peer.nextOf('PUBLISH'));
  return { peer, session, topicName, messages };
}

/** Of eight messages of QoS 1 and 2 the 6th and then the 3rd get their PUBREC, the 4th its PUBACK; then it breaks. */
async function leaveHalfDone(
  broker: BrokerUnderTest,
  protocolVersion: 4 | 5,
): Promise<{ session: ConnectFields; idOf: (number: number) => number }> {
  const { peer, session, messages } = await receive(broker, protocolVersion, 1, 2, 2, 1, 2, 2, 1, 2);
  const idOf = (number: number): number => messages[number - 1].packetId!;
  for (const number of [6, 3]) {
    peer.send({ type: 'PUBREC', packetId: idOf(number) });
    expect(await peer.nextOf('PUBREL')).toMatchObject({ packetId: idOf(number) });
  }
  peer.send({ type: 'PUBACK', packetId: idOf(4) });
  await peer.drain();
  peer.destroy();
  return { session, idOf };
}

/** Connects again to the session, which must be there. */
async function comeBack(broker: BrokerUnderTest, session: ConnectFields): Promise<Peer> {
  const peer = await Peer.connect(broker, session);
  expect(peer.connack.sessionPresent).toBe(true);
  return peer;
}

/** What a packet is, in short: `PUBLISH 1 again`, `PUBREL 2`. */
function briefly(packet: PacketObject): string {
  if (packet.type === 'PUBLISH') return `PUBLISH ${packet.packetId}${packet.dup ? ' again' : ''}`;
  return 'packetId' in packet ? `${packet.type} ${packet.packetId}` : packet.type;
}

describeBroker('what is sent again on a new connection', (broker) => {
  it.each(VERSIONS_AND_QOS)(
    'a message without its acknowledgement: with DUP 1, the same identifier and content: QoS $qos, $version [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.4.0-1] [v3.1.1 MQTT-3.3.1-1] [v3.1.1 MQTT-4.4.0-1]',
    async ({ protocolVersion, qos }) => {
      const { peer, session, messages } = await receive(broker, protocolVersion, qos);
      peer.destroy();
      const again = await comeBack(broker, session);
      expect(await again.nextOf('PUBLISH')).toEqual({ ...messages[0], dup: true });
      again.destroy();
      const third = await comeBack(broker, session);
      expect(await takeMessages(third, 1)).toEqual([{ ...messages[0], dup: true }]);
      expect(await third.drain()).toEqual([]);
      await third.disconnect();
      expect(await (await comeBack(broker, session)).drain()).toEqual([]);
    },
  );

  it.each(VERSIONS)(
    'PUBREL, not the message, once PUBREC has come: $version [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1] [v3.1.1 MQTT-4.3.3-1] [v3.1.1 MQTT-4.4.0-1]',
    async ({ protocolVersion }) => {
      const { peer, session, messages } = await receive(broker, protocolVersion, 2);
      const packetId = messages[0].packetId!;
      peer.send({ type: 'PUBREC', packetId });
      expect(await peer.nextOf('PUBREL')).toMatchObject({ packetId });
      peer.destroy();
      for (let count = 0; count < 2; count++) {
        const again = await comeBack(broker, session);
        expect((await again.drain()).map(briefly)).toEqual([`PUBREL ${packetId}`]);
        again.destroy();
      }
      const last = await comeBack(broker, session);
      expect(await last.nextOf('PUBREL')).toMatchObject({ packetId });
      last.send({ type: 'PUBCOMP', packetId });
      expect(await last.drain()).toEqual([]);
      last.destroy();
      expect(await (await comeBack(broker, session)).drain()).toEqual([]);
    },
  );

  it.each(VERSIONS)(
    'messages in the order in which they were sent, and every PUBREL: $version [MQTT-4.4.0-1] [MQTT-4.6.0-5] [v3.1.1 MQTT-4.4.0-1] [v3.1.1 MQTT-4.6.0-6]',
    async ({ protocolVersion }) => {
      const { session, idOf } = await leaveHalfDone(broker, protocolVersion);
      const again = (await (await comeBack(broker, session)).drain()).map(briefly);
      // Where the PUBRELs lie among the messages, and under 5.0 their order, is left to the server.
      const resent = again.filter((one) => one.startsWith('PUBLISH'));
      expect(resent).toEqual([1, 2, 5, 7, 8].map((number) => `PUBLISH ${idOf(number)} again`));
      const released = again.filter((one) => one.startsWith('PUBREL'));
      expect(released.sort()).toEqual([6, 3].map((number) => `PUBREL ${idOf(number)}`).sort());
      expect(again).toHaveLength(7);
    },
  );

  // A server of 3.1.1 is held to the rules of its clients here, one of 5.0 is not.
  it('PUBRELs in the order of their PUBRECs, under 3.1.1 [v3.1.1 MQTT-4.6.0-6]', async () => {
    const { session, idOf } = await leaveHalfDone(broker, 4);
    const again = (await (await comeBack(broker, session)).drain()).map(briefly);
    const released = [6, 3].map((number) => `PUBREL ${idOf(number)}`);
    expect(again.filter((one) => one.startsWith('PUBREL'))).toEqual(released);
  });

  it.each(VERSIONS_AND_QOS)(
    'before what came while the client was away, which is sent with DUP 0: QoS $qos, $version [MQTT-3.3.1-1] [MQTT-3.3.1-3] [MQTT-4.6.0-5]',
    async ({ protocolVersion, qos }) => {
      const { peer, session, topicName } = await receive(broker, protocolVersion, qos, qos);
      peer.destroy();
      await publishOnce(
        broker,
        { topicName, qos, payload: hexOf('3') },
        { topicName, qos, dup: true, payload: hexOf('4') },
      );
      const messages = await takeMessages(await comeBack(broker, session), 4);
      expect(textsOf(messages)).toEqual(['1', '2', '3', '4']);
      expect(messages.map(({ dup }) => dup)).toEqual([true, true, false, false]);
      expect(new Set(messages.map(({ packetId }) => packetId)).size).toBe(4);
    },
  );

  it.each(VERSIONS)(
    'also when the new connection takes the session over from one that is open: $version [MQTT-4.4.0-1]',
    async ({ protocolVersion }) => {
      const { session, messages } = await receive(broker, protocolVersion, 1, 2);
      const packets = await (await comeBack(broker, session)).drain();
      expect(packets).toEqual(messages.map((message) => ({ ...message, dup: true })));
    },
  );

  it('also a QoS 2 message that has expired since it was sent [MQTT-4.3.3-7] [MQTT-4.4.0-1]', async () => {
    const topicName = uniqueTopic();
    const session = keptSession();
    const before = await Peer.connect(broker, session);
    await before.subscribe(topicName, { qos: 2 });
    const properties = { messageExpiryInterval: 1 };
    await publishOnce(broker, { topicName, qos: 2, payload: hexOf('sent'), properties });
    const { packetId } = await before.nextOf('PUBLISH');
    before.destroy();
    await untilExpired(broker);
    const [message] = await takeMessages(await comeBack(broker, session), 1);
    expect(message).toMatchObject({ packetId, dup: true, payload: hexOf('sent') });
  });
});

describeWith({}, 'what our broker sends again', (broker) => {
  it('is the PUBRELs in the order of their PUBRECs, then the messages [MQTT-4.4.0-1]', async () => {
    const { session, idOf } = await leaveHalfDone(broker, 5);
    const again = (await (await comeBack(broker, session)).drain()).map(briefly);
    const released = [6, 3].map((number) => `PUBREL ${idOf(number)}`);
    expect(again).toEqual([...released, ...[1, 2, 5, 7, 8].map((number) => `PUBLISH ${idOf(number)} again`)]);
  });
});

describeBroker('what is not sent again', (broker) => {
  it.each(VERSIONS)(
    'what was acknowledged, though the connection broke after that: $version [MQTT-4.4.0-1] [MQTT-4.3.2-3]',
    async ({ protocolVersion }) => {
      const { peer, session, messages } = await receive(broker, protocolVersion, 1, 2, 1);
      const [one, two, three] = messages.map(({ packetId }) => packetId!);
      peer.send({ type: 'PUBACK', packetId: three }, { type: 'PUBREC', packetId: two });
      await peer.nextOf('PUBREL');
      peer.send({ type: 'PUBCOMP', packetId: two });
      await peer.drain();
      peer.destroy();
      const packets = await (await comeBack(broker, session)).drain();
      expect(packets.map(briefly)).toEqual([`PUBLISH ${one} again`]);
    },
  );

  it('what PUBACK or PUBREC of 0x80 and more acknowledged [MQTT-4.4.0-2]', async () => {
    const { peer, session, messages } = await receive(broker, 5, 1, 2, 1, 2);
    for (const [index, reasonCode] of [0x80, 0x83, 0x87, 0x97].entries()) {
      const { qos, packetId } = messages[index];
      peer.send({ type: qos === 1 ? 'PUBACK' : 'PUBREC', packetId: packetId!, reasonCode });
    }
    expect(await peer.drain()).toEqual([]);
    peer.destroy();
    expect(await (await comeBack(broker, session)).drain()).toEqual([]);
  });

  it.each(VERSIONS)(
    'QoS 0, and anything of a session that Clean Start ended: $version [MQTT-4.4.0-1] [v3.1.1 MQTT-4.4.0-1]',
    async ({ protocolVersion }) => {
      const { peer, session, topicName } = await receive(broker, protocolVersion, 0, 1, 2);
      peer.destroy();
      await publishOnce(broker, { topicName, qos: 0, payload: hexOf('4') });
      const again = publishesOf(await (await comeBack(broker, session)).drain());
      // QoS 0 that came while the client was away may have been kept for it (4.5), but is not sent again.
      expect(textsOf(again.filter(({ qos }) => qos !== 0))).toEqual(['2', '3']);
      expect(textsOf(again)).not.toContain('1');
      const anew = await Peer.connect(broker, { ...session, cleanStart: true });
      expect(anew.connack.sessionPresent).toBe(false);
      expect(await anew.drain()).toEqual([]);
    },
  );

  it('anything, while the connection lasts, for all that the client does meanwhile [MQTT-4.4.0-1]', async () => {
    const { peer, topicName } = await receive(broker, 5, 1, 2);
    await peer.subscribe(topicName, { qos: 2 });
    await peer.publish({ topicName: uniqueTopic(), qos: 2 });
    await untilExpired(broker);
    expect(await peer.drain()).toEqual([]);
  });
});

describeBroker('exchanges that a client goes on with on a new connection', (broker) => {
  it.each(VERSIONS)(
    'a QoS 2 message that it sends again is delivered once: $version [MQTT-4.3.3-10] [v3.1.1 MQTT-4.3.3-2]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos: 2 });
      const session = keptSession(protocolVersion);
      const publish = { type: 'PUBLISH', topicName, qos: 2, packetId: 9, payload: hexOf('once') } as const;
      const before = await Peer.connect(broker, session);
      before.send(publish);
      await before.nextOf('PUBREC');
      before.destroy();
      for (let count = 0; count < 2; count++) {
        const again = await comeBack(broker, session);
        again.send({ ...publish, dup: true });
        const pubrec = await again.nextOf('PUBREC');
        expect(pubrec.packetId).toBe(9);
        expect(pubrec.reasonCode ?? 0).toBeLessThan(0x80);
        again.destroy();
      }
      const last = await comeBack(broker, session);
      last.send({ type: 'PUBREL', packetId: 9 });
      const pubcomp = await last.nextOf('PUBCOMP');
      expect(pubcomp.packetId).toBe(9);
      expect(pubcomp.reasonCode ?? 0).toBe(0);
      expect(textsOf(await takeMessages(subscriber, 1))).toEqual(['once']);
      expect(await subscriber.drain()).toEqual([]);
    },
  );

  it.each(VERSIONS)(
    'a PUBREL that it sends again is answered: $version [MQTT-4.3.3-11] [v3.1.1 MQTT-4.3.3-2]',
    async ({ protocolVersion }) => {
      const session = keptSession(protocolVersion);
      const before = await Peer.connect(broker, session);
      await before.publish({ topicName: uniqueTopic(), qos: 2, packetId: 9 });
      before.destroy();
      const after = await comeBack(broker, session);
      after.send({ type: 'PUBREL', packetId: 9 });
      // The server is done with it, and may say so: during recovery that is no error (3.7.2.1).
      expect(await after.nextOf('PUBCOMP')).toMatchObject({ packetId: 9 });
    },
  );

  it.each(VERSIONS)(
    'a QoS 2 message of a session that Clean Start ended is new: $version [MQTT-4.3.3-10]',
    async ({ protocolVersion }) => {
      const topicName = uniqueTopic();
      const subscriber = await Peer.connect(broker, { protocolVersion });
      await subscriber.subscribe(topicName, { qos: 2 });
      const session = keptSession(protocolVersion);
      for (const cleanStart of [false, true]) {
        const peer = await Peer.connect(broker, { ...session, cleanStart });
        const payload = hexOf(cleanStart ? 'new' : 'old');
        peer.send({ type: 'PUBLISH', topicName, qos: 2, packetId: 9, payload });
        await peer.nextOf('PUBREC');
        if (cleanStart) peer.send({ type: 'PUBREL', packetId: 9 });
        await peer.drain();
        peer.destroy();
      }
      // A server delivers at PUBLISH or at PUBREL: the old one was not released.
      expect([['new'], ['old', 'new']]).toContainEqual(textsOf(await subscriber.drain()));
    },
  );

  it.each(VERSIONS)(
    'identifiers of what is in flight on either side do not meet: $version [MQTT-4.4.0-1]',
    async ({ protocolVersion }) => {
      const { peer, session, messages, topicName } = await receive(broker, protocolVersion, 2, 1);
      peer.destroy();
      const again = await comeBack(broker, session);
      const packetIds = publishesOf(await again.drain()).map(({ packetId }) => packetId);
      expect(packetIds).toEqual(messages.map(({ packetId }) => packetId));
      // The client's own messages may have the same identifiers (2.2.1), and new ones of the server have others.
      for (const packetId of packetIds) await again.publish({ topicName: uniqueTopic(), qos: 2, packetId });
      await publishOnce(broker, { topicName, qos: 2, payload: hexOf('new') });
      const fresh = await again.nextOf('PUBLISH');
      expect(fresh.dup).toBe(false);
      expect(packetIds).not.toContain(fresh.packetId);
    },
  );
});
