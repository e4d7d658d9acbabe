/**
 * Wills asked of a broker (3.1.2.5 to 3.1.2.7, 3.1.3.2 to 3.1.3.4, 3.14.4): when they are published, when not, and as what.
 */
import { expect, it } from 'vitest';
import type { PropertiesObject, PublishObject } from '../../../src/packets/inspect.ts';
import { describeBroker, describeWith, type BrokerUnderTest } from '../broker-under-test.ts';
import { hexOf, Peer, PROTOCOL_VERSIONS, uniqueClientId, uniqueTopic, type ConnectFields } from '../peer.ts';
import { keptSession, publishOnce, retainedOf, takeMessages, textOf } from './messages.ts';

/** What is told of wills in a test: a listener to every topic below one, and clients with wills there. */
class Wills {
  readonly topic = uniqueTopic();
  private readonly broker: BrokerUnderTest;
  private readonly listener: Peer;

  private constructor(broker: BrokerUnderTest, listener: Peer) {
    this.broker = broker;
    this.listener = listener;
  }

  static async watch(broker: BrokerUnderTest): Promise<Wills> {
    const wills = new Wills(broker, await Peer.connect(broker));
    await wills.listener.subscribe(`${wills.topic}/#`, { qos: 2, retainAsPublished: true });
    return wills;
  }

  /** CONNECT with a will that says `text`; `properties` are the will's. */
  fields(text: string, properties?: PropertiesObject): ConnectFields {
    return { willTopic: `${this.topic}/${text}`, willPayload: hexOf(text), willProperties: properties };
  }

  /** Lets a client with a will without delay disappear: what is published before this one came first. */
  async publishAnother(text: string): Promise<void> {
    (await Peer.connect(this.broker, this.fields(text))).destroy();
  }

  /** The next will that is published. */
  async next(): Promise<PublishObject> {
    const [will] = await takeMessages(this.listener, 1);
    return will;
  }

  /** What the next one says. */
  async nextText(): Promise<string> {
    return textOf(await this.next());
  }

  /** Nothing was published so far, but what a client's disappearing now publishes. */
  async expectNone(): Promise<void> {
    await this.publishAnother('another');
    expect(await this.nextText()).toBe('another');
  }
}

describeBroker('3.1.2.5 Will Flag', (broker) => {
  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-7] [MQTT-3.1.2-8] [v3.1.1 MQTT-3.1.2-8] a will is published when the connection is cut, version %i',
    async (protocolVersion) => {
      const wills = await Wills.watch(broker);
      const peer = await Peer.connect(broker, { protocolVersion, ...wills.fields('cut') });
      await wills.expectNone();
      peer.destroy();
      expect(await wills.nextText()).toBe('cut');
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-8] [v3.1.1 MQTT-3.1.2-8] … when the server ends the connection because of an error, version %i',
    async (protocolVersion) => {
      const wills = await Wills.watch(broker);
      const peer = await Peer.connect(broker, { protocolVersion, ...wills.fields('error') });
      peer.sendBytes('00 00');
      expect(await wills.nextText()).toBe('error');
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-8] [MQTT-3.1.2-22] [v3.1.1 MQTT-3.1.2-8] … when nothing came for too long, version %i',
    async (protocolVersion) => {
      const wills = await Wills.watch(broker);
      await Peer.connect(broker, { protocolVersion, ...wills.fields('keep alive'), keepAlive: 1 });
      expect(await wills.nextText()).toBe('keep alive');
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-8] [v3.1.1 MQTT-3.1.2-8] … when the client closes without DISCONNECT, version %i',
    async (protocolVersion) => {
      const wills = await Wills.watch(broker);
      const peer = await Peer.connect(broker, { protocolVersion, ...wills.fields('end') });
      peer.end();
      expect(await wills.nextText()).toBe('end');
    },
  );

  it('[MQTT-3.1.2-8] … when the client disconnects with Disconnect with Will Message', async () => {
    const wills = await Wills.watch(broker);
    const peer = await Peer.connect(broker, wills.fields('0x04'));
    await peer.disconnect(0x04);
    expect(await wills.nextText()).toBe('0x04');
  });

  it.each([0x80, 0x82, 0x93, 0x97])(
    '[MQTT-3.1.2-8] [MQTT-4.13.2-1] … when the client disconnects with an error: %i',
    async (reasonCode) => {
      const wills = await Wills.watch(broker);
      const peer = await Peer.connect(broker, wills.fields('with an error'));
      await peer.disconnect(reasonCode);
      expect(await wills.nextText()).toBe('with an error');
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-8] [v3.1.1 MQTT-3.1.2-8] … when another connection takes over, version %i',
    async (protocolVersion) => {
      const wills = await Wills.watch(broker);
      const { clientId } = await Peer.connect(broker, { protocolVersion, ...wills.fields('taken over') });
      await Peer.connect(broker, { protocolVersion, clientId });
      expect(await wills.nextText()).toBe('taken over');
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.14.4-3] [MQTT-3.1.2-8] [MQTT-3.1.2-10] [v3.1.1 MQTT-3.14.4-3] DISCONNECT deletes it, version %i',
    async (protocolVersion) => {
      const wills = await Wills.watch(broker);
      const peer = await Peer.connect(broker, { protocolVersion, ...wills.fields('deleted') });
      await peer.disconnect();
      await wills.expectNone();
    },
  );

  it('[MQTT-3.14.4-3] DISCONNECT deletes a will that would be delayed as well', async () => {
    const wills = await Wills.watch(broker);
    const fields = { ...keptSession(5, uniqueClientId(), { sessionExpiryInterval: 1 }) };
    const peer = await Peer.connect(broker, {
      ...fields,
      ...wills.fields('deleted', { willDelayInterval: 1 }),
    });
    await peer.disconnect();
    const later = await Peer.connect(broker, {
      properties: { sessionExpiryInterval: 10 },
      ...wills.fields('later', { willDelayInterval: 2 }),
    });
    later.destroy();
    expect(await wills.nextText()).toBe('later');
  });

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-10] [v3.1.1 MQTT-3.1.2-10] a will is published once: the next connection has its own or none, version %i',
    async (protocolVersion) => {
      const wills = await Wills.watch(broker);
      const fields = keptSession(protocolVersion);
      (await Peer.connect(broker, { ...fields, ...wills.fields('first') })).destroy();
      expect(await wills.nextText()).toBe('first');
      (await Peer.connect(broker, fields)).destroy();
      (await Peer.connect(broker, { ...fields, ...wills.fields('second') })).destroy();
      expect(await wills.nextText()).toBe('second');
      await wills.expectNone();
    },
  );

  it('[MQTT-3.1.2-10] a will that was published is not published again when the session ends', async () => {
    const wills = await Wills.watch(broker);
    const fields = keptSession(5, uniqueClientId(), { sessionExpiryInterval: 1 });
    (await Peer.connect(broker, { ...fields, ...wills.fields('once') })).destroy();
    expect(await wills.nextText()).toBe('once');
    const later = { ...keptSession(), ...wills.fields('later', { willDelayInterval: 2 }) };
    (await Peer.connect(broker, later)).destroy();
    expect(await wills.nextText()).toBe('later');
  });

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-7] a will is stored with the session of its own client: others may end, version %i',
    async (protocolVersion) => {
      const wills = await Wills.watch(broker);
      const one = await Peer.connect(broker, { protocolVersion, ...wills.fields('one') });
      const other = await Peer.connect(broker, { protocolVersion, ...wills.fields('other') });
      await other.disconnect();
      one.destroy();
      expect(await wills.nextText()).toBe('one');
      await wills.expectNone();
    },
  );
});

describeBroker('3.1.2.6 Will QoS, 3.1.2.7 Will Retain, Will Properties and Will Payload', (broker) => {
  it.each([0, 1, 2].flatMap((willQos) => PROTOCOL_VERSIONS.map((version) => ({ willQos, version }))))(
    '[MQTT-3.1.2-12] [v3.1.1 MQTT-3.1.2-9] a will is published at its QoS $willQos, version $version',
    async ({ willQos, version }) => {
      const wills = await Wills.watch(broker);
      (await Peer.connect(broker, { protocolVersion: version, ...wills.fields('qos'), willQos })).destroy();
      expect(await wills.next()).toMatchObject({ qos: willQos, payload: hexOf('qos') });
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-14] [v3.1.1 MQTT-3.1.2-16] Will Retain 0: it is not retained, version %i',
    async (protocolVersion) => {
      const wills = await Wills.watch(broker);
      const topicName = `${wills.topic}/retain`;
      await publishOnce(broker, { topicName, retain: true, payload: hexOf('before') });
      expect(await wills.nextText()).toBe('before');
      (await Peer.connect(broker, { protocolVersion, ...wills.fields('retain') })).destroy();
      expect(await wills.next()).toMatchObject({ retain: false, topicName });
      expect(await retainedOf(broker, topicName)).toMatchObject([{ payload: hexOf('before') }]);
    },
  );

  it.each(PROTOCOL_VERSIONS)(
    '[MQTT-3.1.2-15] [v3.1.1 MQTT-3.1.2-17] Will Retain 1: it is retained, version %i',
    async (protocolVersion) => {
      const wills = await Wills.watch(broker);
      const fields = { protocolVersion, ...wills.fields('retain'), willRetain: true, willQos: 1 };
      (await Peer.connect(broker, fields)).destroy();
      // The listener asked for RETAIN as it is published.
      expect(await wills.next()).toMatchObject({ retain: true });
      expect(await retainedOf(broker, `${wills.topic}/retain`)).toMatchObject([
        { retain: true, payload: hexOf('retain') },
      ]);
    },
  );

  it('[MQTT-3.1.3-10] the properties of a will are published with it, User Properties in their order', async () => {
    const wills = await Wills.watch(broker);
    const properties: PropertiesObject = {
      payloadFormatIndicator: 1,
      contentType: 'text/plain',
      responseTopic: 'answers/here',
      correlationData: '00ff80',
      userProperties: [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
        ['b', '1'],
      ],
    };
    (await Peer.connect(broker, wills.fields('properties', properties))).destroy();
    expect((await wills.next()).properties).toEqual(properties);
  });

  it('its Message Expiry Interval is published with it, the Will Delay Interval is not', async () => {
    const wills = await Wills.watch(broker);
    const properties = { messageExpiryInterval: 600, willDelayInterval: 0 };
    (await Peer.connect(broker, wills.fields('expiry', properties))).destroy();
    const published = (await wills.next()).properties;
    // Less what it waited in the server, which is not much.
    expect(published?.messageExpiryInterval).toBeGreaterThan(500);
    expect(published?.messageExpiryInterval).toBeLessThanOrEqual(600);
    expect(published).not.toHaveProperty('willDelayInterval');
  });

  it.each(PROTOCOL_VERSIONS)('[MQTT-3.1.2-9] a will may be empty, version %i', async (protocolVersion) => {
    const wills = await Wills.watch(broker);
    const willTopic = `${wills.topic}/empty`;
    (await Peer.connect(broker, { protocolVersion, willTopic, willPayload: '' })).destroy();
    expect(await wills.next()).toMatchObject({ topicName: willTopic, payload: '' });
  });
});

describeBroker('3.1.3.2.2 Will Delay Interval', (broker) => {
  it('[MQTT-3.1.2-8] a will is published when it has passed', async () => {
    const wills = await Wills.watch(broker);
    const delayed = { ...keptSession(), ...wills.fields('delayed', { willDelayInterval: 1 }) };
    (await Peer.connect(broker, delayed)).destroy();
    await wills.publishAnother('at once');
    expect(await wills.nextText()).toBe('at once');
    expect(await wills.nextText()).toBe('delayed');
  });

  it('[MQTT-3.1.2-8] a will is published when the session ends, if that is earlier', async () => {
    const wills = await Wills.watch(broker);
    const properties = { sessionExpiryInterval: 1 };
    const fields = { properties, ...wills.fields('session', { willDelayInterval: 100_000 }) };
    (await Peer.connect(broker, fields)).destroy();
    expect(await wills.nextText()).toBe('session');
  });

  it('[MQTT-3.1.2-8] … at once, when the session ends with the connection', async () => {
    const wills = await Wills.watch(broker);
    (await Peer.connect(broker, wills.fields('no session', { willDelayInterval: 100_000 }))).destroy();
    expect(await wills.nextText()).toBe('no session');
  });

  it('[MQTT-3.1.2-8] … at once, when a client takes over and begins a new session', async () => {
    const wills = await Wills.watch(broker);
    const fields = { ...keptSession(), ...wills.fields('new session', { willDelayInterval: 100_000 }) };
    const first = await Peer.connect(broker, fields);
    await Peer.connect(broker, { clientId: first.clientId, cleanStart: true });
    await first.expectDisconnect(0x8e);
    expect(await wills.nextText()).toBe('new session');
  });

  it('[MQTT-3.1.3-9] [MQTT-3.1.2-8] a will is not published if the client comes back before', async () => {
    const wills = await Wills.watch(broker);
    const fields = keptSession();
    (await Peer.connect(broker, { ...fields, ...wills.fields('back', { willDelayInterval: 1 }) })).destroy();
    const back = await Peer.connect(broker, fields);
    expect(back.connack).toMatchObject({ sessionPresent: true });
    // A longer delay that began later: when it is over, the other would be as well.
    const later = { ...keptSession(), ...wills.fields('later', { willDelayInterval: 2 }) };
    (await Peer.connect(broker, later)).destroy();
    expect(await wills.nextText()).toBe('later');
    expect(await back.drain()).toEqual([]);
  });

  it('[MQTT-3.1.3-9] nor if the client takes its session over while it is connected', async () => {
    const wills = await Wills.watch(broker);
    const fields = keptSession();
    const first = await Peer.connect(broker, {
      ...fields,
      ...wills.fields('taken', { willDelayInterval: 1 }),
    });
    await Peer.connect(broker, fields);
    await first.expectDisconnect(0x8e);
    const later = { ...keptSession(), ...wills.fields('later', { willDelayInterval: 2 }) };
    (await Peer.connect(broker, later)).destroy();
    expect(await wills.nextText()).toBe('later');
  });

  it('[MQTT-3.1.3-9] the will of the connection that came back takes its place', async () => {
    const wills = await Wills.watch(broker);
    const fields = keptSession();
    (await Peer.connect(broker, { ...fields, ...wills.fields('old', { willDelayInterval: 1 }) })).destroy();
    (await Peer.connect(broker, { ...fields, ...wills.fields('new', { willDelayInterval: 2 }) })).destroy();
    expect(await wills.nextText()).toBe('new');
    await wills.expectNone();
  });

  it('[MQTT-3.1.3-9] … and waits for its own end, not for what was left of the delay', async () => {
    const wills = await Wills.watch(broker);
    const fields = keptSession();
    (await Peer.connect(broker, { ...fields, ...wills.fields('old', { willDelayInterval: 1 }) })).destroy();
    const back = await Peer.connect(broker, { ...fields, ...wills.fields('new') });
    const later = { ...keptSession(), ...wills.fields('later', { willDelayInterval: 2 }) };
    (await Peer.connect(broker, later)).destroy();
    expect(await wills.nextText()).toBe('later');
    back.destroy();
    expect(await wills.nextText()).toBe('new');
  });

  it('[MQTT-3.1.3-9] a session that is resumed and cut again begins its delay anew', async () => {
    const wills = await Wills.watch(broker);
    const fields = { ...keptSession(), ...wills.fields('again', { willDelayInterval: 1 }) };
    (await Peer.connect(broker, fields)).destroy();
    (await Peer.connect(broker, fields)).destroy();
    await wills.publishAnother('at once');
    expect(await wills.nextText()).toBe('at once');
    expect(await wills.nextText()).toBe('again');
    await wills.expectNone();
  });
});

describeWith(
  { hooks: { authorise: (_client, _access, topic) => !topic.startsWith('forbidden/') } },
  'a will for a topic that the client may not publish to',
  (broker) => {
    it.each(PROTOCOL_VERSIONS)(
      '[MQTT-3.1.4-2] is refused with the CONNECT, version %i',
      async (protocolVersion) => {
        const peer = await Peer.open(broker, protocolVersion);
        const clientId = uniqueClientId();
        peer.send({ type: 'CONNECT', protocolVersion, clientId, willTopic: 'forbidden/will' });
        // 3.1.1's is Not authorized.
        await peer.expectRefusal(protocolVersion === 5 ? 0x87 : 5);
      },
    );
  },
);
