/**
 * PINGREQ and PINGRESP (3.12, 3.13).
 */
import { describe, expect, it } from 'vitest';
import { describeBroker } from '../broker-under-test.ts';
import { Peer, uniqueTopic } from '../peer.ts';
import { VERSIONS, messageOf } from '../subscribing.ts';

describeBroker('PINGREQ', (broker) => {
  describe.each(VERSIONS)('version %i', (protocolVersion) => {
    it('is answered with PINGRESP [MQTT-3.12.4-1], [v3.1.1 MQTT-3.12.4-1]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.send({ type: 'PINGREQ' });
      expect(await peer.next()).toEqual({ type: 'PINGRESP' });
    });

    it('is answered each time, also when several come in one piece [MQTT-3.12.4-1], [v3.1.1 MQTT-3.12.4-1]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.sendBytes('c0 00 '.repeat(20));
      for (let count = 0; count < 20; count++) await peer.nextOf('PINGRESP');
      expect(await peer.drain()).toEqual([]);
    });

    it('is answered byte by byte [MQTT-3.12.4-1], [v3.1.1 MQTT-3.12.4-1]', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.sendBytes('c0');
      peer.sendBytes('00 c0');
      await peer.nextOf('PINGRESP');
      peer.sendBytes('00');
      await peer.nextOf('PINGRESP');
    });

    it('is answered while messages are out that the client does not acknowledge [MQTT-3.12.4-1], [MQTT-4.9.0-3]', async () => {
      const receiveMaximum = protocolVersion === 5 ? { properties: { receiveMaximum: 1 } } : {};
      const peer = await Peer.connect(broker, { protocolVersion, ...receiveMaximum });
      const topic = uniqueTopic();
      await peer.subscribe(topic, { qos: 1 });
      for (const text of ['a', 'b', 'c']) await peer.publish(messageOf(topic, text, 1));
      await peer.drain();
      peer.send({ type: 'PINGREQ' });
      expect(await peer.next()).toEqual({ type: 'PINGRESP' });
    });

    it('with flags or a body is malformed: 3.12.1, 3.12.2', async () => {
      for (const bytes of ['c1 00', 'c8 00', 'c0 01 00']) {
        const peer = await Peer.connect(broker, { protocolVersion });
        peer.sendBytes(bytes);
        await peer.expectDisconnect(0x81);
      }
    });

    it('is not answered before CONNECT [MQTT-3.1.0-1], [v3.1.1 MQTT-3.1.0-1]', async () => {
      const peer = await Peer.open(broker, protocolVersion);
      peer.send({ type: 'PINGREQ' });
      await peer.expectClosedSilently();
    });

    it('is the client’s: a PINGRESP from it is a Protocol Error: 3.13', async () => {
      const peer = await Peer.connect(broker, { protocolVersion });
      peer.send({ type: 'PINGRESP' });
      await peer.expectDisconnect(0x82);
    });
  });
});
