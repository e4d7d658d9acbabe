/**
 * Answers, both ways: ours are as short as they can be, so that no server is too small for them; the server's find what
 * they answer by its packet identifier; the answers of QoS 2 go on whatever became of the message. And of a message that
 * comes in pieces, one piece begins it.
 */
import { describe, expect, it } from 'vitest';
import type { AckObject, PacketObject } from '../../src/packets/inspect.ts';
import { P_MESSAGE_EXPIRY_INTERVAL } from '../../src/packets/property-table.ts';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver, bytesOf, hexOf, propertiesOf } from '../support/session-driver.ts';

describe('answers of ours have neither Reason String nor User Property, whatever Maximum Packet Size is', () => {
  /** The longest of them: fixed header, packet identifier, reason code. */
  const maximumPacketSize = 5;
  const connected = (options: DriverOptions = {}): SessionDriver =>
    new SessionDriver(options).connected({ properties: { maximumPacketSize } });
  const message = (qos: number, packetId: number): PacketObject => ({
    type: 'PUBLISH',
    topicName: 't',
    qos,
    packetId,
    payload: hexOf('x'),
  });

  it.each<[string, AckObject, (driver: SessionDriver) => void]>([
    [
      'PUBACK [MQTT-3.4.2-2], [MQTT-3.4.2-3]',
      { type: 'PUBACK', packetId: 7 },
      (d) => d.server(message(1, 7)),
    ],
    [
      'PUBREC [MQTT-3.5.2-2], [MQTT-3.5.2-3]',
      { type: 'PUBREC', packetId: 7 },
      (d) => d.server(message(2, 7)),
    ],
    [
      'PUBREL [MQTT-3.6.2-2], [MQTT-3.6.2-3]',
      { type: 'PUBREL', packetId: 7, reasonCode: 0x92 },
      (d) => d.ack('PUBREC', 7),
    ],
    [
      'PUBCOMP [MQTT-3.7.2-2], [MQTT-3.7.2-3]',
      { type: 'PUBCOMP', packetId: 7, reasonCode: 0x92 },
      (d) => d.ack('PUBREL', 7),
    ],
  ])('%s', (_, expected, provoke) => {
    const driver = connected();
    provoke(driver);
    const sent = driver.sent();
    expect(sent).toEqual([expected]);
    expect(driver.encode(sent[0]).length).toBeLessThanOrEqual(maximumPacketSize);
  });

  it('DISCONNECT, of the application and for a violation [MQTT-3.14.2-3], [MQTT-3.14.2-4]', () => {
    const leaving = connected();
    leaving.disconnect(4);
    expect(leaving.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 4 }]);

    const violated = connected();
    violated.server({ type: 'CONNACK' });
    expect(violated.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x82 }]);
  });

  it('AUTH, before CONNACK and after [MQTT-3.15.2-2], [MQTT-3.15.2-3]', () => {
    const driver = new SessionDriver({ authenticationMethod: 'm' });
    driver.onEvent = () => driver.session.authenticate(bytesOf('answer'), driver.nowMs);
    driver.open();
    driver.sent();
    const properties = { authenticationMethod: 'm', authenticationData: hexOf('answer') };
    driver.server({ type: 'AUTH', reasonCode: 0x18, properties: { authenticationMethod: 'm' } });
    expect(driver.sent()).toEqual([{ type: 'AUTH', reasonCode: 0x18, properties }]);
    driver.onEvent = undefined;
    driver.server({ type: 'CONNACK', properties: { authenticationMethod: 'm' } });
    driver.session.reauthenticate(bytesOf('answer'), driver.nowMs);
    driver.run();
    expect(driver.sent()).toEqual([{ type: 'AUTH', reasonCode: 0x19, properties }]);
  });
});

describe.each([V5, V3_1_1])('version %i', (protocolVersion) => {
  const isV5 = protocolVersion === V5;
  const connected = (options: DriverOptions = {}): SessionDriver =>
    new SessionDriver({ protocolVersion, ...options }).connected();

  it('SUBACK and UNSUBACK belong to the request with their packet identifier, in any order [MQTT-3.8.4-2], [MQTT-2.2.1-6]', () => {
    const driver = connected();
    const tickets = [
      driver.subscribe(['a', 1]),
      driver.subscribe(['b', 1], ['c', 2]),
      driver.unsubscribe('d'),
    ];
    expect(driver.sentTypes()).toEqual(['SUBSCRIBE 1', 'SUBSCRIBE 2', 'UNSUBSCRIBE 3']);
    driver.server(
      { type: 'UNSUBACK', packetId: 3, ...(isV5 ? { reasonCodes: [0x11] } : {}) },
      { type: 'SUBACK', packetId: 2, reasonCodes: [1, 2] },
      { type: 'SUBACK', packetId: 1, reasonCodes: [0] },
    );
    expect(driver.events()).toMatchObject([
      { event: 'UNSUBSCRIBED', ticket: tickets[2] },
      { event: 'SUBSCRIBED', ticket: tickets[1], reasonCodes: [1, 2] },
      { event: 'SUBSCRIBED', ticket: tickets[0], reasonCodes: [0] },
    ]);
  });
});

describe.each([V5, V3_1_1])('PUBREC of a PUBLISH whose connection is over, version %i', (protocolVersion) => {
  const message = { type: 'PUBLISH', topicName: 't', qos: 2 } as const;
  const lasting = protocolVersion === V5 ? { sessionExpirySeconds: 100 } : {};
  const options = { protocolVersion, cleanStart: false, ...lasting };

  /** The connection breaks, and another one goes on with the session. */
  function connectAgain(driver: SessionDriver): void {
    driver.cut().skip();
    driver.accept({ sessionPresent: true });
    driver.sent();
    driver.events();
  }

  it('waits for the PUBLISH to come again, and goes out once [MQTT-4.3.3-8], [MQTT-4.4.0-1]', () => {
    let isFailing = true;
    const store = { put: () => !isFailing, remove: () => true };
    const driver = new SessionDriver({ ...options, store }).connected();
    for (const packetId of [1, 2]) driver.server({ ...message, packetId });
    expect(driver.sent()).toEqual([]);
    connectAgain(driver);
    isFailing = false;
    driver.run();
    expect(driver.sent()).toEqual([]);
    driver.server({ ...message, packetId: 1, dup: true });
    expect(driver.sentTypes()).toEqual(['PUBREC 1']);
    driver.ack('PUBREL', 1).server({ ...message, packetId: 2, dup: true });
    expect(driver.sentTypes()).toEqual(['PUBCOMP 1', 'PUBREC 2']);
    expect(driver.events()).toEqual([]);
  });

  it('waits for it when the application acknowledges late, too', () => {
    const driver = new SessionDriver({ ...options, manualAcknowledgement: true }).connected();
    for (const packetId of [1, 2]) driver.server({ ...message, packetId });
    const [first, second] = driver.events().map(({ receipt }) => receipt!);
    connectAgain(driver);
    driver.acknowledge(first);
    expect(driver.sent()).toEqual([]);
    driver.server({ ...message, packetId: 1, dup: true }, { ...message, packetId: 2, dup: true });
    expect(driver.sentTypes()).toEqual(['PUBREC 1']);
    driver.acknowledge(second);
    expect(driver.sentTypes()).toEqual(['PUBREC 2']);
    expect(driver.events()).toEqual([]);
  });
});

describe('a message that expires in the middle of QoS 2', () => {
  it('is acknowledged to the end by its receiver, late or not [MQTT-4.3.3-13]', () => {
    const driver = new SessionDriver({ manualAcknowledgement: true }).connected();
    const properties = { messageExpiryInterval: 1 };
    driver.server({ type: 'PUBLISH', topicName: 't', qos: 2, packetId: 7, payload: hexOf('x'), properties });
    const [{ receipt }] = driver.events();
    driver.advance(10_000);
    driver.acknowledge(receipt!);
    expect(driver.sent()).toEqual([{ type: 'PUBREC', packetId: 7 }]);
    driver.advance(10_000);
    driver.ack('PUBREL', 7);
    expect(driver.sent()).toEqual([{ type: 'PUBCOMP', packetId: 7 }]);
  });

  it.each([true, false])(
    'goes on to PUBCOMP at its sender, on this connection and the next (lost: %s) [MQTT-4.3.3-7]',
    (isLost) => {
      const driver = new SessionDriver({ sessionExpirySeconds: 1000 }).connected();
      const properties = propertiesOf((writer) => writer.addNumber(P_MESSAGE_EXPIRY_INTERVAL, 1));
      const ticket = driver.publish('t', 'x', 2, 0, properties);
      driver.ack('PUBREC', 1);
      expect(driver.sentTypes()).toEqual(['PUBLISH 1', 'PUBREL 1']);
      driver.advance(10_000);
      if (isLost) {
        driver.cut().skip();
        driver.accept({ sessionPresent: true });
        expect(driver.sentTypes()).toEqual(['PUBREL 1']);
      }
      driver.ack('PUBCOMP', 1);
      expect(driver.events()).toMatchObject([{ event: 'PUBLISHED', ticket, status: 'OK' }]);
    },
  );
});

describe('the first fragment of a streamed message', () => {
  it('holds some of the payload, wherever the network cut it: only one begins at 0', () => {
    const driver = new SessionDriver({ receiveBytes: 64 }).connected();
    const bytes = driver.encode({ type: 'PUBLISH', topicName: 't', payload: hexOf('x'.repeat(200)) });
    for (let at = 0; at < bytes.length; at++) driver.bytes(bytes.subarray(at, at + 1));
    const offsets = driver.events().map(({ fragmentOffset }) => fragmentOffset);
    expect(offsets[0]).toBe(0);
    expect(offsets.slice(1)).not.toContain(0);
  });
});
