/**
 * What a second reading of the standard, written apart, found in the first: each was wrong once.
 */
import { describe, expect, it } from 'vitest';
import { CoreStage } from './core-stage.ts';

describe('a second reading', () => {
  it('a silent client is closed at one and a half times its keep alive, not later [MQTT-3.1.2-22]', () => {
    const stage = new CoreStage();
    const client = stage.connect({ keepAlive: 10 });
    stage.advance(500);
    client.send({ type: 'PINGREQ' });
    stage.advance(14_999);
    expect(client.isEnded).toBe(false);
    stage.advance(1);
    expect(client.isEnded).toBe(true);
  });

  it('a payload that says it is UTF-8 may hold U+0000, which only strings may not [MQTT-1.5.4-2]', () => {
    const stage = new CoreStage();
    const client = stage.connect();
    const properties = { payloadFormatIndicator: 1 };
    client.send({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 1, payload: '610062', properties });
    client.send({ type: 'PUBLISH', topicName: 't', qos: 1, packetId: 2, payload: '6100c0', properties });
    const codes = client.take().map((packet) => ('reasonCode' in packet ? packet.reasonCode : 0));
    expect(codes).toEqual([0x10, 0x99]);
  });

  it('a Message Expiry Interval of 0 is passed on as 0 [MQTT-3.3.2-6]', () => {
    const stage = new CoreStage();
    const subscriber = stage.connect();
    subscriber.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 't' }] });
    subscriber.take();
    const properties = { messageExpiryInterval: 0 };
    stage.connect().send({ type: 'PUBLISH', topicName: 't', properties });
    expect(subscriber.take()).toMatchObject([{ type: 'PUBLISH', properties }]);
  });
});
