/**
 * Enhanced authentication asked of a broker: section 3.15 AUTH and section 4.12, with a method whose exchange is counted
 * steps, and which answers at once or later.
 */
import { describe, expect, it } from 'vitest';
import type { BrokerOptions } from '../../../sim/broker/options.ts';
import type { ReasonObject } from '../../../src/packets/inspect.ts';
import { describeBroker, describeWith, type BrokerUnderTest } from '../broker-under-test.ts';
import { connectHex, exchange, integerHex, packetHex, propertiesHex, textHex } from '../bytes.ts';
import { hexOf, Peer, uniqueClientId, uniqueTopic } from '../peer.ts';

type Hooks = NonNullable<BrokerOptions['hooks']>;
type Method = NonNullable<Hooks['methods']>[number];

/**
 * Asks "more" as often as the client says "go on", then lets it in if it says "let me in", with "welcome", and refuses
 * it if it says anything else.
 */
function talk(name: string, isLate: boolean): Method {
  return {
    name,
    begin: () => ({
      step(data) {
        const text = new TextDecoder().decode(data ?? undefined);
        const step =
          text === 'go on'
            ? { kind: 'continue' as const, data: Buffer.from('more') }
            : text === 'let me in'
              ? { kind: 'success' as const, data: Buffer.from('welcome'), userName: 'alice' }
              : {
                  kind: 'failure' as const,
                  reasonCode: 0x87,
                  reasonString: 'this is not what was agreed upon',
                };
        return isLate ? new Promise((resolve) => setImmediate(resolve, step)) : step;
      },
    }),
  };
}

const OPTIONS: BrokerOptions = { hooks: { methods: [talk('TALK', false), talk('TALK-LATE', true)] } };

/** Properties of a packet of the exchange. */
function said(authenticationMethod: string, text: string) {
  return { authenticationMethod, authenticationData: hexOf(text) };
}

function auth(reasonCode: number, authenticationMethod: string, text: string): ReasonObject {
  return { type: 'AUTH', reasonCode, properties: said(authenticationMethod, text) };
}

/** A connection that has sent CONNECT with this to begin with. */
async function begin(broker: BrokerUnderTest, method: string, text: string): Promise<Peer> {
  const peer = await Peer.open(broker);
  peer.send({ type: 'CONNECT', clientId: uniqueClientId(), properties: said(method, text) });
  return peer;
}

/** A client that authenticated itself. */
async function letIn(broker: BrokerUnderTest, method: string): Promise<Peer> {
  return Peer.connect(broker, { properties: said(method, 'let me in') });
}

describeWith(OPTIONS, '4.12 Enhanced authentication', (broker) => {
  describe.each(['TALK', 'TALK-LATE'])('%s', (method) => {
    it('[MQTT-4.12.0-5] is over with CONNACK when the first data is enough', async () => {
      const peer = await begin(broker, method, 'let me in');
      expect(await peer.nextOf('CONNACK')).toMatchObject({
        reasonCode: 0,
        properties: said(method, 'welcome'),
      });
      expect(await peer.drain()).toEqual([]);
    });

    it('[MQTT-4.12.0-2] [MQTT-4.12.0-5] [MQTT-3.2.0-1] goes on with AUTH and Continue authentication', async () => {
      const peer = await begin(broker, method, 'go on');
      for (let count = 0; count < 3; count++) {
        const packet = await peer.nextOf('AUTH');
        expect(packet).toMatchObject({ reasonCode: 0x18, properties: said(method, 'more') });
        peer.send(auth(0x18, method, count < 2 ? 'go on' : 'let me in'));
      }
      expect(await peer.nextOf('CONNACK')).toMatchObject({
        reasonCode: 0,
        properties: said(method, 'welcome'),
      });
      const topicName = uniqueTopic();
      await peer.subscribe(topicName);
      await peer.publish({ topicName });
      await peer.nextOf('PUBLISH');
    });

    it.each([0, 1, 2])('[MQTT-4.12.0-4] may fail at any point: after %i AUTH', async (count) => {
      const peer = await begin(broker, method, count === 0 ? 'nonsense' : 'go on');
      for (let left = count; left > 0; left--) {
        await peer.nextOf('AUTH');
        peer.send(auth(0x18, method, left === 1 ? 'nonsense' : 'go on'));
      }
      await peer.expectRejected(0x87);
    });

    it('begins without data when CONNECT has none', async () => {
      const peer = await Peer.open(broker);
      peer.send({ type: 'CONNECT', properties: { authenticationMethod: method } });
      await peer.expectRejected(0x87); // no data is not what was agreed upon
    });

    it.each([
      ['Success', 0x00],
      ['Re-authenticate', 0x19],
    ])(
      '[MQTT-4.12.0-3] the client’s AUTH must say Continue authentication: %s',
      async (_what, reasonCode) => {
        const peer = await begin(broker, method, 'go on');
        await peer.nextOf('AUTH');
        const properties = propertiesHex('15', textHex(method), '16', textHex('let me in'));
        peer.sendBytes(packetHex(0xf0, integerHex(reasonCode, 1), properties));
        await peer.expectRejected(0x82, 0x81);
      },
    );

    it.each([
      ['another', propertiesHex('15', textHex('OTHER'), '16', textHex('let me in'))],
      ['none', propertiesHex()],
      ['none, but data', propertiesHex('16', textHex('let me in'))],
    ])(
      '[MQTT-4.12.0-5] the client’s AUTH must have the method of CONNECT, not %s',
      async (_what, properties) => {
        const peer = await begin(broker, method, 'go on');
        await peer.nextOf('AUTH');
        peer.sendBytes(packetHex(0xf0, '18', properties));
        await peer.expectRejected(0x82, 0x8c);
      },
    );

    it('[MQTT-3.1.4-6] other packets than AUTH and DISCONNECT end it, and do nothing', async () => {
      const subscriber = await letIn(broker, method);
      const topicName = uniqueTopic();
      await subscriber.subscribe(topicName);
      const peer = await begin(broker, method, 'go on');
      await peer.nextOf('AUTH');
      peer.send({ type: 'PUBLISH', topicName }, auth(0x18, method, 'let me in'));
      await peer.expectRejected(0x82);
      await subscriber.publish({ topicName, payload: hexOf('let in') });
      expect(await subscriber.nextOf('PUBLISH')).toMatchObject({ payload: hexOf('let in') });
    });

    it('[MQTT-3.1.4-6] what is sent with a CONNECT that is not accepted in the end does nothing', async () => {
      const subscriber = await letIn(broker, method);
      const topicName = uniqueTopic();
      await subscriber.subscribe(topicName);
      const connect = {
        type: 'CONNECT' as const,
        clientId: subscriber.clientId,
        properties: said(method, 'no'),
      };
      const peer = await Peer.open(broker);
      peer.send(connect, { type: 'PUBLISH', topicName });
      await peer.expectRejected(0x87);
      // Nor is the client disturbed whose identifier it gave.
      expect(await subscriber.drain()).toEqual([]);
    });

    it('a DISCONNECT in the middle ends it', async () => {
      const peer = await begin(broker, method, 'go on');
      await peer.nextOf('AUTH');
      peer.send({ type: 'DISCONNECT' });
      await peer.expectClosedSilently();
    });

    it('[MQTT-3.15.1-1] reserved flags of AUTH end it', async () => {
      const peer = await begin(broker, method, 'go on');
      await peer.nextOf('AUTH');
      peer.sendBytes(packetHex(0xf1, '18', propertiesHex('15', textHex(method))));
      await peer.expectRejected(0x81);
    });
  });

  it('[MQTT-4.12.0-1] [MQTT-4.13.2-1] a method that it does not know is refused', async () => {
    const peer = await begin(broker, 'talk', 'let me in');
    await peer.expectRejected(0x8c, 0x87);
  });

  it('[MQTT-4.12.0-6] [MQTT-4.12.0-7] without a method there is no AUTH', async () => {
    const peer = await Peer.connect(broker);
    expect(peer.connack.properties ?? {}).not.toHaveProperty('authenticationMethod');
    expect(peer.connack.properties ?? {}).not.toHaveProperty('authenticationData');
    expect(await peer.drain()).toEqual([]);
    peer.send(auth(0x19, 'TALK', 'let me in'));
    await peer.expectDisconnect(0x82);
  });

  it.each([
    ['CONNACK that refuses', 'nonsense', 60],
    ['AUTH', 'go on', 60],
  ])(
    '[MQTT-3.15.2-2] [MQTT-3.15.2-3] [MQTT-3.2.2-19] %s keeps to Maximum Packet Size',
    async (_what, text, size) => {
      const properties = [`27${integerHex(size, 4)}`, '15', textHex('TALK'), '16', textHex(text)].join('');
      const hex = connectHex({ properties, payload: [textHex(uniqueClientId())] });
      // The server closes for the error that comes last.
      const answer = Buffer.from(await exchange(broker, `${hex}0000`), 'hex');
      expect(answer[0]).toBe(text === 'go on' ? 0xf0 : 0x20);
      expect(2 + answer[1]).toBeLessThanOrEqual(size);
    },
  );

  it.each([
    ['AUTH', 'go on'],
    ['CONNACK', 'let me in'],
  ])('[MQTT-3.1.2-24] %s is not sent when it does not fit into Maximum Packet Size', async (_what, text) => {
    const maximumPacketSize = 15; // AUTH with the method and 4 bytes takes 18, CONNACK with them more.
    const properties = [
      `27${integerHex(maximumPacketSize, 4)}`,
      '15',
      textHex('TALK'),
      '16',
      textHex(text),
    ].join('');
    const answer = await exchange(broker, `${connectHex({ properties, payload: [textHex('c')] })}e000`);
    // Without it the connection can only end: with a CONNACK that refuses, or without.
    expect(answer).toMatch(/^(20030[0-9a-f][89a].00|)$/);
  });
});

describeWith(OPTIONS, '4.12.1 Re-authentication', (broker) => {
  describe.each(['TALK', 'TALK-LATE'])('%s', (method) => {
    it('[MQTT-4.12.0-5] is over with AUTH and Success, in as many steps as it takes', async () => {
      const peer = await letIn(broker, method);
      peer.send(auth(0x19, method, 'let me in'));
      expect(await peer.nextOf('AUTH')).toMatchObject({ reasonCode: 0, properties: said(method, 'welcome') });
      peer.send(auth(0x19, method, 'go on'));
      expect(await peer.nextOf('AUTH')).toMatchObject({ reasonCode: 0x18, properties: said(method, 'more') });
      peer.send(auth(0x18, method, 'let me in'));
      expect(await peer.nextOf('AUTH')).toMatchObject({ reasonCode: 0, properties: said(method, 'welcome') });
      expect(await peer.drain()).toEqual([]);
    });

    it('lets other packets pass meanwhile', async () => {
      const peer = await letIn(broker, method);
      const topicName = uniqueTopic();
      await peer.subscribe(topicName, { qos: 1 });
      peer.send(auth(0x19, method, 'go on'));
      await peer.nextOf('AUTH');
      expect(await peer.publish({ topicName, qos: 1 })).toMatchObject({ type: 'PUBACK' });
      await peer.nextOf('PUBLISH');
      peer.send(auth(0x18, method, 'let me in'));
      expect(await peer.nextOf('AUTH')).toMatchObject({ reasonCode: 0 });
    });

    it.each(['at once', 'after a step'])('[MQTT-4.12.1-2] closes when it fails %s', async (when) => {
      const peer = await letIn(broker, method);
      if (when === 'after a step') {
        peer.send(auth(0x19, method, 'go on'));
        await peer.nextOf('AUTH');
      }
      peer.send(auth(when === 'at once' ? 0x19 : 0x18, method, 'nonsense'));
      await peer.expectDisconnect(0x87);
    });

    it.each([
      ['another', propertiesHex('15', textHex('OTHER'), '16', textHex('let me in'))],
      ['none', propertiesHex()],
    ])('[MQTT-4.13.1-1] it must have the method of CONNECT, not %s', async (_what, properties) => {
      const peer = await letIn(broker, method);
      peer.sendBytes(packetHex(0xf0, '19', properties));
      await peer.expectDisconnect(0x82, 0x8c);
    });

    it('[MQTT-4.13.1-1] AUTH with Continue authentication does not begin one', async () => {
      const peer = await letIn(broker, method);
      peer.send(auth(0x18, method, 'let me in'));
      await peer.expectDisconnect(0x82);
    });

    it('[MQTT-3.15.1-1] reserved flags of AUTH close', async () => {
      const peer = await letIn(broker, method);
      peer.sendBytes(packetHex(0xf4, '19', propertiesHex('15', textHex(method))));
      await peer.expectDisconnect(0x81);
    });

    it('[MQTT-4.12.1-2] the reason in words keeps to Maximum Packet Size', async () => {
      const peer = await Peer.connect(broker, {
        properties: { ...said(method, 'let me in'), maximumPacketSize: 60 },
      });
      peer.send(auth(0x19, method, 'nonsense'));
      await peer.expectDisconnect(0x87);
    });
  });
});

describeBroker('4.12 Enhanced authentication without methods', (broker) => {
  it('[MQTT-4.12.0-1] refuses every method', async () => {
    const peer = await begin(broker, 'NO-SUCH-METHOD', 'let me in');
    await peer.expectRejected(0x8c, 0x87);
  });

  it('[MQTT-4.12.0-6] sends no AUTH and no method', async () => {
    const peer = await Peer.connect(broker, { userName: 'alice', password: hexOf('secret') });
    expect(peer.connack.properties ?? {}).not.toHaveProperty('authenticationMethod');
    expect(await peer.drain()).toEqual([]);
  });

  it('[MQTT-4.12.0-7] closes on an AUTH', async () => {
    const peer = await Peer.connect(broker);
    peer.send(auth(0x19, 'NO-SUCH-METHOD', 'let me in'));
    await peer.expectDisconnect(0x82);
  });

  it.each(['f100', 'f200', 'f0021900'])(
    '[MQTT-3.15.1-1] [MQTT-4.13.1-1] closes on AUTH as %s',
    async (hex) => {
      const peer = await Peer.connect(broker);
      peer.sendBytes(hex);
      await peer.expectDisconnect(0x81, 0x82);
    },
  );
});
