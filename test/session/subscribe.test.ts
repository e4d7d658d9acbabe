/**
 * Subscribing and unsubscribing: what goes out, what the answers mean, and what is made again for a server that lost
 * the session.
 */
import { describe, expect, it } from 'vitest';
import type { SubscribeObject } from '../../src/packets/inspect.ts';
import { P_CONTENT_TYPE } from '../../src/packets/property-table.ts';
import { V3_1_1, V5 } from '../../src/packets/types.ts';
import { subscriptionOptions } from '../../src/session/filter-list.ts';
import { NO_SPACE } from '../../src/status.ts';
import type { DriverOptions } from '../support/session-driver.ts';
import { SessionDriver, filtersOf, propertiesOf } from '../support/session-driver.ts';

/** Filters of the SUBSCRIBE packets sent since last asked, a list for each packet. */
function subscribed(driver: SessionDriver): string[][] {
  return driver
    .sent()
    .filter((packet): packet is SubscribeObject => packet.type === 'SUBSCRIBE')
    .map(({ subscriptions }) => subscriptions.map(({ topicFilter }) => topicFilter));
}

/** The connection is lost, and the server with the next one has lost the session, too. */
function loseSession(driver: SessionDriver): void {
  driver.cut().skip();
  driver.accept({ sessionPresent: false });
}

describe.each([V5, V3_1_1])('version %i', (protocolVersion) => {
  const isV5 = protocolVersion === V5;
  const connected = (options: DriverOptions = {}): SessionDriver =>
    new SessionDriver({ protocolVersion, ...options }).connected();

  it('SUBSCRIBE has each filter with its QoS [MQTT-3.8.1-1], [MQTT-3.8.3-1], [MQTT-3.8.3-2], [MQTT-3.8.3-3]', () => {
    const driver = connected();
    const ticket = driver.subscribe(['a', 0], ['b/+', 1], ['ü/#', 2]);
    const [packet] = driver.sent() as SubscribeObject[];
    expect(packet.packetId).toBe(1);
    expect(packet.subscriptions.map(({ topicFilter, qos }) => [topicFilter, qos])).toEqual([
      ['a', 0],
      ['b/+', 1],
      ['ü/#', 2],
    ]);
    driver.server({ type: 'SUBACK', packetId: 1, reasonCodes: [0, 1, 1] });
    expect(driver.events()).toMatchObject([
      { event: 'SUBSCRIBED', ticket, status: 'OK', reasonCodes: [0, 1, 1] },
    ]);
  });

  it('UNSUBSCRIBE has each filter [MQTT-3.10.1-1], [MQTT-3.10.3-1], [MQTT-3.10.3-2]', () => {
    const driver = connected();
    const ticket = driver.unsubscribe('a', 'b/#');
    expect(driver.sent()).toEqual([{ type: 'UNSUBSCRIBE', packetId: 1, topicFilters: ['a', 'b/#'] }]);
    driver.server({ type: 'UNSUBACK', packetId: 1, ...(isV5 ? { reasonCodes: [0, 0x11] } : {}) });
    expect(driver.events()).toMatchObject([{ event: 'UNSUBSCRIBED', ticket, status: 'OK' }]);
  });

  it('identifiers are those of messages, too, and free after the answer [MQTT-2.2.1-3], [MQTT-2.2.1-6]', () => {
    const driver = connected();
    driver.publish('t', 'x', 1);
    driver.subscribe(['a']);
    driver.unsubscribe('b');
    expect(driver.sentTypes()).toEqual(['PUBLISH 1', 'SUBSCRIBE 2', 'UNSUBSCRIBE 3']);
    driver.server({ type: 'SUBACK', packetId: 2, reasonCodes: [0] });
    driver.session.state.lastPacketId = 65535;
    driver.session.state.freePacketIds = 0;
    driver.publish('t', 'y', 1);
    driver.publish('t', 'z', 1);
    expect(driver.sentTypes()).toEqual(['PUBLISH 2', 'PUBLISH 4']);
  });

  it('waits for the connection', () => {
    const driver = new SessionDriver({ protocolVersion });
    driver.subscribe(['a']);
    driver.unsubscribe('b');
    driver.open();
    expect(driver.sentTypes()).toEqual(['CONNECT']);
    driver.server({ type: 'CONNACK' });
    expect(driver.sentTypes()).toEqual(['SUBSCRIBE 1', 'UNSUBSCRIBE 2']);
  });

  it('waits for room in the transmit ring', () => {
    const driver = connected({ transmitBytes: 64, subscriptionBytes: 1024 });
    driver.drain(0);
    const list = Array.from({ length: 10 }, (_, i) => `filter/number/${i}`);
    for (const filter of list) driver.subscribe([filter]);
    driver.drain();
    expect(subscribed(driver)).toEqual(list.map((filter) => [filter]));
  });

  it('is sent again when the answer was lost, session or no session', () => {
    for (const sessionPresent of [true, false]) {
      const lasting = isV5 ? { sessionExpirySeconds: 10 } : { cleanStart: false };
      const driver = connected(lasting);
      const ticket = driver.subscribe(['a', 1]);
      const other = driver.unsubscribe('b');
      driver.sent();
      driver.cut().skip();
      driver.accept({ sessionPresent });
      expect(driver.sentTypes()).toEqual(['SUBSCRIBE 3', 'UNSUBSCRIBE 4']);
      driver.server({ type: 'SUBACK', packetId: 3, reasonCodes: [1] });
      driver.server({ type: 'UNSUBACK', packetId: 4, ...(isV5 ? { reasonCodes: [0] } : {}) });
      expect(driver.events().map((event) => event.ticket)).toEqual([ticket, other]);
    }
  });

  it('failures per filter are told, and such a filter is not subscribed to again [MQTT-3.8.4-6]', () => {
    const driver = connected();
    driver.subscribe(['a'], ['b'], ['c']);
    driver.sent();
    driver.server({ type: 'SUBACK', packetId: 1, reasonCodes: [0, 0x80, 2] });
    expect(driver.events()).toMatchObject([{ event: 'SUBSCRIBED', reasonCodes: [0, 0x80, 2] }]);
    loseSession(driver);
    expect(subscribed(driver)).toEqual([['a', 'c']]);
  });

  it.each([[[0]], [[0, 0, 0]]])(
    'SUBACK with the wrong number of codes is a Protocol Error: %o',
    (reasonCodes) => {
      const driver = connected();
      driver.subscribe(['a'], ['b']);
      driver.server({ type: 'SUBACK', packetId: 1, reasonCodes });
      expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', violation: 'REASON_CODE_COUNT' }]);
    },
  );

  it('answers that nobody asked for change nothing', () => {
    const driver = connected();
    driver.server({ type: 'SUBACK', packetId: 9, reasonCodes: [0] });
    driver.server({ type: 'UNSUBACK', packetId: 9, ...(isV5 ? { reasonCodes: [0] } : {}) });
    expect(driver.events()).toEqual([]);
    expect(driver.session.isConnected()).toBe(true);
    driver.subscribe(['a']);
    driver.server({ type: 'UNSUBACK', packetId: 1, ...(isV5 ? { reasonCodes: [0] } : {}) });
    expect(driver.events()).toMatchObject([{ event: 'DISCONNECTED', cause: 'VIOLATION' }]);
  });

  it('what is unsubscribed is not subscribed to again, nor forgotten while the answer is out', () => {
    const driver = connected();
    driver.subscribe(['a'], ['b']);
    driver.server({ type: 'SUBACK', packetId: 1, reasonCodes: [0, 0] });
    driver.unsubscribe('a');
    driver.sent();
    loseSession(driver);
    // The order says it all: subscribed to, and unsubscribed from.
    expect(driver.sentTypes()).toEqual(['SUBSCRIBE 3', 'UNSUBSCRIBE 4']);
    driver.server({ type: 'SUBACK', packetId: 3, reasonCodes: [0, 0] });
    driver.server({ type: 'UNSUBACK', packetId: 4, ...(isV5 ? { reasonCodes: [0] } : {}) });
    loseSession(driver);
    expect(subscribed(driver)).toEqual([['b']]);
  });

  it('a later subscription to the same filter takes the place of the earlier one', () => {
    const driver = connected();
    driver.subscribe(['a', 0], ['b', 0]);
    driver.server({ type: 'SUBACK', packetId: 1, reasonCodes: [0, 0] });
    driver.subscribe(['a', 2]);
    driver.server({ type: 'SUBACK', packetId: 2, reasonCodes: [2] });
    driver.sent();
    loseSession(driver);
    const packets = driver.sent() as SubscribeObject[];
    expect(
      packets.map(({ subscriptions }) => subscriptions.map(({ topicFilter, qos }) => [topicFilter, qos])),
    ).toEqual([[['b', 0]], [['a', 2]]]);
  });

  it('whatever is acknowledged first, what was asked for last holds', () => {
    const driver = connected();
    driver.unsubscribe('a');
    driver.subscribe(['a', 1]);
    driver.sent();
    driver.server({ type: 'SUBACK', packetId: 2, reasonCodes: [1] });
    driver.server({ type: 'UNSUBACK', packetId: 1, ...(isV5 ? { reasonCodes: [0] } : {}) });
    loseSession(driver);
    expect(subscribed(driver)).toEqual([['a']]);
  });

  it('grouping stays as it was asked for, and room is given back', () => {
    const driver = connected({ subscriptionBytes: 100 });
    for (let i = 0; i < 50; i++) {
      const packetId = driver.session.state.lastPacketId;
      expect(driver.subscribe(['x', 0], ['y', 1])).toBeGreaterThan(0);
      driver.server({ type: 'SUBACK', packetId: packetId + 1, reasonCodes: [0, 1] });
      driver.sent();
      loseSession(driver);
      expect(subscribed(driver)).toEqual([['x', 'y']]);
      driver.server({ type: 'SUBACK', packetId: packetId + 2, reasonCodes: [0, 1] });
      expect(driver.unsubscribe('x', 'y')).toBeGreaterThan(0);
      driver.server({ type: 'UNSUBACK', packetId: packetId + 3, ...(isV5 ? { reasonCodes: [0, 0] } : {}) });
      expect(driver.session.state.subscriptions.end).toBe(0);
    }
  });

  it('without room is refused whole', () => {
    const driver = connected({ subscriptionBytes: 60 });
    expect(driver.subscribe(['a'], ['b'], ['c'], ['d'])).toBe(NO_SPACE);
    expect(driver.sent()).toEqual([]);
    expect(driver.session.state.subscriptions.end).toBe(0);
    expect(driver.subscribe(['a'], ['b'], ['c'])).toBeGreaterThan(0);
    expect(subscribed(driver)).toEqual([['a', 'b', 'c']]);
  });

  it('filters that are not valid are thrown back [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1], [MQTT-4.7.3-2]', () => {
    for (const filter of ['', 'a#', '#/a', 'a+', '+a/b', '\0', '\ud800']) {
      expect(() => filtersOf([filter]), filter).toThrow();
    }
    const driver = connected();
    expect(() => driver.subscribe()).toThrow(/MQTT-3.8.3-2/);
    expect(() => driver.unsubscribe()).toThrow(/MQTT-3.10.3-2/);
  });

  it('a list may be as long as its storage', () => {
    const list = filtersOf();
    list.bytes = new Uint8Array(10);
    expect([list.add('abcd', 0), list.add('abcd', 0), list.count]).toEqual([0, NO_SPACE, 1]);
  });
});

describe('options of 5.0', () => {
  it('are sent: No Local, Retain As Published, Retain Handling', () => {
    const driver = new SessionDriver().connected();
    driver.subscribe(
      ['a', subscriptionOptions(1, true, false, 2)],
      ['b', subscriptionOptions(2, false, true, 1)],
    );
    expect((driver.sent()[0] as SubscribeObject).subscriptions).toEqual([
      { topicFilter: 'a', qos: 1, noLocal: true, retainAsPublished: false, retainHandling: 2 },
      { topicFilter: 'b', qos: 2, noLocal: false, retainAsPublished: true, retainHandling: 1 },
    ]);
  });

  it('are in range, and No Local is not for shared subscriptions [MQTT-3.8.3-4], [MQTT-4.8.2-1], [MQTT-4.8.2-2]', () => {
    expect(() => subscriptionOptions(3, false, false, 0)).toThrow(/qos/);
    expect(() => subscriptionOptions(0, false, false, 3)).toThrow(/retainHandling/);
    expect(() => filtersOf(['$share/g/a', subscriptionOptions(0, true, false, 0)])).toThrow(/MQTT-3.8.3-4/);
    for (const filter of ['$share/', '$share//a', '$share/g', '$share/g/', '$share/g+/a', '$share/#/a']) {
      expect(() => filtersOf([filter]), filter).toThrow();
    }
    filtersOf(['$share/g/a/#'], ['$shared']);
  });

  it('identifier and user properties go with the packet, and again with the next session', () => {
    const driver = new SessionDriver().connected();
    const properties = propertiesOf((writer) => {
      writer.addPair('k', 'v');
      writer.addPair('k', 'w');
    });
    driver.session.subscribe(filtersOf(['a'], ['b', 1]), 268435455, properties);
    driver.session.unsubscribe(filtersOf(['c']), properties);
    properties.clear();
    driver.run();
    const userProperties = [
      ['k', 'v'],
      ['k', 'w'],
    ];
    const expected = { subscriptionIdentifiers: [268435455], userProperties };
    const [subscribe, unsubscribe] = driver.sent() as SubscribeObject[];
    expect(subscribe.properties).toEqual(expected);
    expect(unsubscribe.properties).toEqual({ userProperties });
    driver.server({ type: 'SUBACK', packetId: 1, reasonCodes: [0, 1] });
    driver.server({ type: 'UNSUBACK', packetId: 2, reasonCodes: [0] });
    loseSession(driver);
    const again = driver.sent() as SubscribeObject[];
    expect(again).toHaveLength(1);
    expect(again[0]).toMatchObject({
      properties: expected,
      subscriptions: [{ topicFilter: 'a' }, { topicFilter: 'b' }],
    });
    driver.server({ type: 'SUBACK', packetId: again[0].packetId, reasonCodes: [0x80, 0x80] });
    expect(driver.session.state.subscriptions.end).toBe(0);
  });

  it('an unsubscription with user properties that is too large is told as what it is', () => {
    const driver = new SessionDriver().connected({ properties: { maximumPacketSize: 30 } });
    const ticket = driver.session.unsubscribe(
      filtersOf(['a']),
      propertiesOf((writer) => writer.addPair('k', 'x'.repeat(30))),
    );
    driver.run();
    expect(driver.events()).toEqual([{ event: 'UNSUBSCRIBED', ticket, status: 'PACKET_TOO_LARGE' }]);
  });

  it('user properties must be user properties', () => {
    const driver = new SessionDriver().connected();
    const properties = propertiesOf((writer) => writer.addText(P_CONTENT_TYPE, 'x'));
    expect(() => driver.session.subscribe(filtersOf(['a']), 0, properties)).toThrow(/user properties/);
  });

  it('throw under 3.1.1 before anything is sent', () => {
    const driver = new SessionDriver({ protocolVersion: V3_1_1 }).connected();
    const properties = propertiesOf((writer) => writer.addPair('k', 'v'));
    for (const options of [
      subscriptionOptions(0, true, false, 0),
      subscriptionOptions(0, false, true, 0),
      subscriptionOptions(0, false, false, 1),
    ]) {
      expect(() => driver.subscribe(['a', options])).toThrow(/5\.0/);
    }
    expect(() => driver.session.subscribe(filtersOf(['a']), 1, null)).toThrow(/5\.0/);
    expect(() => driver.session.subscribe(filtersOf(['a']), 0, properties)).toThrow(/5\.0/);
    expect(() => driver.session.unsubscribe(filtersOf(['a']), properties)).toThrow(/5\.0/);
    expect(driver.sent()).toEqual([]);
    expect(driver.session.state.subscriptions.end).toBe(0);
  });
});
