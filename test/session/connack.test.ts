/**
 * What CONNACK is taken to mean: the server's limits, the session that goes on or does not, and refusals.
 */
import { describe, expect, it } from 'vitest';
import type { ConnackObject, PacketObject } from '../../src/packets/inspect.ts';
import { V3_1_1 } from '../../src/packets/types.ts';
import { NOT_SUPPORTED_BY_SERVER, PACKET_TOO_LARGE } from '../../src/status.ts';
import { SessionDriver, hexOf } from '../support/session-driver.ts';

describe('CONNACK', () => {
  it('makes the connection, and its properties are the event’s', () => {
    const driver = new SessionDriver().open();
    expect(driver.session.isConnected()).toBe(false);
    const connack: PacketObject = {
      type: 'CONNACK',
      sessionPresent: false,
      reasonCode: 0,
      properties: { reasonString: 'hello', userProperties: [['a', 'b']], responseInformation: 'r/' },
    };
    driver.server(connack);
    expect(driver.session.isConnected()).toBe(true);
    expect(driver.events()).toEqual([{ event: 'CONNECTED', sessionPresent: 0, packet: connack }]);
  });

  it('sets the Keep Alive that is used [MQTT-3.1.2-21], [MQTT-3.2.2-21]', () => {
    const driver = new SessionDriver({ keepAliveSeconds: 60 });
    driver.connected({ properties: { serverKeepAlive: 7 } });
    driver.advance(6999);
    expect(driver.sent()).toEqual([]);
    driver.advance(1);
    expect(driver.sentTypes()).toEqual(['PINGREQ']);
    expect(driver.session.state.keepAliveMs).toBe(7000);
  });

  it('may give a client identifier, which the next CONNECT names [MQTT-3.1.3-2], [MQTT-3.1.3-7]', () => {
    const driver = new SessionDriver({ clientId: '', sessionExpirySeconds: 60 });
    driver
      .connected({ properties: { assignedClientIdentifier: 'given-by-ü' } })
      .cut()
      .advance(1000);
    expect(driver.accept({ sessionPresent: true })).toMatchObject({
      clientId: 'given-by-ü',
      cleanStart: false,
    });
  });

  const limited = (properties: ConnackObject['properties']): SessionDriver =>
    new SessionDriver().connected({ properties });

  it.each([
    [{ maximumQos: 1 }, [1, 1, 0]],
    [{ maximumQos: 0 }, [1, 0, 0]],
    [{}, [1, 1, 1]],
  ])('limits the QoS of messages: %o [MQTT-3.2.2-11]', (properties, expected) => {
    const driver = limited(properties);
    const accepted = [0, 1, 2].map((qos) => (driver.publish('a', 'x', qos) >= 0 ? 1 : 0));
    expect(accepted).toEqual(expected);
    expect(driver.sent()).toHaveLength(expected.filter((one) => one === 1).length);
    if (expected[2] === 0) expect(driver.publish('a', 'x', 2)).toBe(NOT_SUPPORTED_BY_SERVER);
  });

  it('limits messages that waited for it, too [MQTT-3.2.2-11], [MQTT-3.2.2-14]', () => {
    const driver = new SessionDriver();
    const tickets = [
      driver.publish('a', '2', 2),
      driver.publish('a', 'r', 0, 1),
      driver.publish('a', '1', 1),
    ];
    driver.open();
    driver.sent();
    driver.server({ type: 'CONNACK', properties: { maximumQos: 1, retainAvailable: 0 } });
    expect(driver.sent()).toMatchObject([{ type: 'PUBLISH', payload: hexOf('1') }]);
    expect(driver.events().slice(1)).toEqual([
      { event: 'PUBLISHED', ticket: tickets[0], status: 'NOT_SUPPORTED_BY_SERVER', reasonCode: 0 },
      { event: 'PUBLISHED', ticket: tickets[1], status: 'NOT_SUPPORTED_BY_SERVER', reasonCode: 0 },
    ]);
  });

  it('may rule retained messages out [MQTT-3.2.2-14]', () => {
    const driver = limited({ retainAvailable: 0 });
    expect(driver.publish('a', 'x', 0, 1)).toBe(NOT_SUPPORTED_BY_SERVER);
    expect(driver.publish('a', 'x', 1, 1)).toBe(NOT_SUPPORTED_BY_SERVER);
    expect(driver.sent()).toEqual([]);
    expect(limited({}).publish('a', 'x', 0, 1)).toBe(0);
  });

  it.each([0, 1, 2])('limits the size of packets of QoS %i to the byte [MQTT-3.2.2-15]', (qos) => {
    // Fixed header 2, topic 3, packet identifier 2, property length 1.
    const byteLengthMax = qos === 0 ? 14 : 12;
    const driver = limited({ maximumPacketSize: 20 });
    expect(driver.publish('a', 'x'.repeat(byteLengthMax + 1), qos)).toBe(PACKET_TOO_LARGE);
    expect(driver.sent()).toEqual([]);
    expect(driver.publish('a', 'x'.repeat(byteLengthMax), qos)).toBeGreaterThanOrEqual(0);
    expect(driver.sent()).toHaveLength(1);
    expect(driver.events()).toEqual([]);
  });

  it('limits the size of packets that waited, and of subscriptions [MQTT-3.2.2-15]', () => {
    const driver = new SessionDriver();
    const tickets = [driver.publish('a', 'x'.repeat(20), 1), driver.subscribe(['x'.repeat(20)])];
    tickets.push(driver.unsubscribe('y'.repeat(20)), driver.publish('a', 'x'.repeat(20), 0));
    driver.open();
    driver.server({ type: 'CONNACK', properties: { maximumPacketSize: 20 } });
    expect(driver.sentTypes()).toEqual(['CONNECT']);
    expect(driver.events().slice(1)).toEqual([
      { event: 'SUBSCRIBED', ticket: tickets[1], status: 'PACKET_TOO_LARGE' },
      { event: 'UNSUBSCRIBED', ticket: tickets[2], status: 'PACKET_TOO_LARGE' },
      { event: 'PUBLISHED', ticket: tickets[0], status: 'PACKET_TOO_LARGE', reasonCode: 0 },
      { event: 'PUBLISHED', ticket: tickets[3], status: 'PACKET_TOO_LARGE', reasonCode: 0 },
    ]);
    expect(driver.session.isBusy()).toBe(false);
  });

  it('bounds the aliases that are used [MQTT-3.2.2-17]', () => {
    const driver = limited({ topicAliasMaximum: 1 });
    const first = driver.session.createTopic('first');
    const second = driver.session.createTopic('second');
    for (const handle of [first, second, first]) driver.publish(handle, 'x');
    const aliases = driver
      .sent()
      .map((packet) => (packet as { properties?: { topicAlias?: number } }).properties?.topicAlias);
    expect(aliases).toEqual([1, 1, 1]);
  });

  it('without Topic Alias Maximum means no aliases at all [MQTT-3.2.2-18]', () => {
    const driver = limited({});
    driver.publish(driver.session.createTopic('a'), 'x');
    expect(driver.sent()).toEqual([
      { type: 'PUBLISH', dup: false, qos: 0, retain: false, topicName: 'a', payload: hexOf('x') },
    ]);
  });

  it('may rule out wildcards, shared subscriptions, and identifiers', () => {
    const driver = limited({
      wildcardSubscriptionAvailable: 0,
      sharedSubscriptionAvailable: 0,
      subscriptionIdentifiersAvailable: 0,
    });
    const tickets = [driver.subscribe(['a/+']), driver.subscribe(['$share/g/a']), driver.subscribe(['a'])];
    expect(driver.events()).toEqual([
      { event: 'SUBSCRIBED', ticket: tickets[0], status: 'NOT_SUPPORTED_BY_SERVER' },
      { event: 'SUBSCRIBED', ticket: tickets[1], status: 'NOT_SUPPORTED_BY_SERVER' },
    ]);
    expect(driver.sentTypes()).toEqual(['SUBSCRIBE 1']);
    // Wildcards may be unsubscribed from all the same.
    driver.unsubscribe('a/+');
    expect(driver.sentTypes()).toEqual(['UNSUBSCRIBE 2']);
  });

  it('that claims a session although a new one was asked for is refused [MQTT-3.2.2-4]', () => {
    for (const protocolVersion of [5, 4]) {
      const driver = new SessionDriver({ protocolVersion }).open();
      driver.sent();
      driver.server({ type: 'CONNACK', sessionPresent: true });
      expect(driver.events()).toMatchObject([
        { event: 'DISCONNECTED', cause: 'VIOLATION', violation: 'SESSION_NOT_ASKED_FOR', reasonCode: 0x82 },
      ]);
      expect(driver.isUp).toBe(false);
      const isV5 = protocolVersion === 5;
      expect(driver.sent()).toEqual(isV5 ? [{ type: 'DISCONNECT', reasonCode: 0x82 }] : []);
    }
  });

  it('says that the session goes on where one may be there', () => {
    const driver = new SessionDriver({ cleanStart: false, sessionExpirySeconds: 100 }).open();
    driver.server({ type: 'CONNACK', sessionPresent: true });
    expect(driver.events()).toMatchObject([{ event: 'CONNECTED', sessionPresent: 1 }]);
  });

  it('twice is a Protocol Error [MQTT-3.2.0-2]', () => {
    const driver = new SessionDriver().connected();
    driver.server({ type: 'CONNACK' });
    expect(driver.events()).toMatchObject([
      { event: 'DISCONNECTED', cause: 'VIOLATION', violation: 'UNEXPECTED_PACKET', reasonCode: 0x82 },
    ]);
    expect(driver.sent()).toEqual([{ type: 'DISCONNECT', reasonCode: 0x82 }]);
  });

  it.each<PacketObject>([
    { type: 'PUBLISH', topicName: 'a' },
    { type: 'PUBACK', packetId: 1 },
    { type: 'PUBREL', packetId: 1 },
    { type: 'SUBACK', packetId: 1, reasonCodes: [0] },
    { type: 'PINGRESP' },
  ])('comes first: $type before it is a Protocol Error [MQTT-3.2.0-1]', (packet) => {
    const driver = new SessionDriver().open();
    driver.sent();
    driver.server(packet);
    expect(driver.events()).toMatchObject([
      { event: 'DISCONNECTED', cause: 'VIOLATION', violation: 'UNEXPECTED_PACKET' },
    ]);
    expect(driver.isUp).toBe(false);
  });

  it('does not come: the attempt is over after connectTimeoutMs', () => {
    const driver = new SessionDriver({ connectTimeoutMs: 3000 }).open();
    driver.sent();
    driver.bytes(driver.encode({ type: 'CONNACK' }).subarray(0, 3));
    driver.advance(2999);
    expect(driver.events()).toEqual([]);
    driver.advance(1);
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'CONNECT_TIMEOUT' }]);
    expect(driver.isUp).toBe(false);
    expect(driver.closings).toBe(1);
    expect(driver.sent()).toEqual([]);
  });

  it('does not come because the transport does not open: likewise', () => {
    const driver = new SessionDriver({ connectTimeoutMs: 3000 });
    driver.isOpeningItself = false;
    driver.open().advance(3000);
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'CONNECT_TIMEOUT' }]);
    expect(driver.closings).toBe(1);
  });

  it('does not come because the transport reports that it cannot open', () => {
    const driver = new SessionDriver();
    driver.isOpeningItself = false;
    driver.open().cut();
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'NOT_OPENED' }]);
  });
});

describe('a refusal', () => {
  const transient = [0x80, 0x83, 0x88, 0x89, 0x97, 0x9f];
  const permanent = [
    0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x8a, 0x8c, 0x90, 0x95, 0x99, 0x9a, 0x9b, 0x9c, 0x9d,
  ];

  it.each(transient)('that may pass (reason code %i) is tried again', (reasonCode) => {
    const driver = new SessionDriver({ reconnect: { firstMs: 1000 } }).open();
    driver.server({ type: 'CONNACK', reasonCode });
    const [event] = driver.events();
    expect(event).toMatchObject({ event: 'DISCONNECTED', cause: 'REFUSED', reasonCode });
    expect(event.reconnectInMs).toBeGreaterThanOrEqual(500);
    expect(driver.isUp).toBe(false);
    driver.sent();
    driver.advance(1000);
    expect(driver.sentTypes()).toEqual(['CONNECT']);
  });

  it.each(permanent)('that will not pass (reason code %i) is the end [MQTT-4.13.2-1]', (reasonCode) => {
    const driver = new SessionDriver().open();
    driver.server({ type: 'CONNACK', reasonCode });
    expect(driver.events()).toMatchObject([
      { event: 'DISCONNECTED', cause: 'REFUSED', reasonCode, reconnectInMs: -1 },
    ]);
    expect(driver.session.nextTimeoutMs()).toBe(Infinity);
    expect(driver.isUp).toBe(false);
  });

  it('that will not pass is tried again all the same with afterRefusal', () => {
    const driver = new SessionDriver({ reconnect: { afterRefusal: true } }).open();
    driver.server({ type: 'CONNACK', reasonCode: 0x86 });
    expect(driver.events()[0].reconnectInMs).toBeGreaterThan(0);
  });

  it.each([
    [1, false],
    [2, false],
    [3, true],
    [4, false],
    [5, false],
  ])('of 3.1.1 with return code %i: tried again %s', (reasonCode, isTriedAgain) => {
    const driver = new SessionDriver({ protocolVersion: V3_1_1 }).open();
    driver.server({ type: 'CONNACK', reasonCode });
    const [event] = driver.events();
    expect(event).toMatchObject({ event: 'DISCONNECTED', cause: 'REFUSED', reasonCode });
    expect(event.reconnectInMs! > 0).toBe(isTriedAgain);
  });

  it('shows its properties', () => {
    const driver = new SessionDriver().open();
    const properties = { serverReference: 'elsewhere', reasonString: 'moved' };
    driver.server({ type: 'CONNACK', reasonCode: 0x9d, properties });
    expect(driver.events()[0].packet).toMatchObject({ properties });
  });

  it('keeps what was accepted before', () => {
    const driver = new SessionDriver();
    const ticket = driver.publish('a', 'x', 1);
    driver.open();
    driver.server({ type: 'CONNACK', reasonCode: 0x87 });
    driver.events();
    driver.sent();
    driver.open();
    driver.accept();
    expect(driver.sentTypes()).toEqual(['PUBLISH 1']);
    driver.ack('PUBACK', 1);
    expect(driver.events()).toMatchObject([{ event: 'PUBLISHED', ticket, status: 'OK' }]);
  });
});
